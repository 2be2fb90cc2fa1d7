from types import SimpleNamespace

import keras
import numpy as np
import pytest

from stages.networks import models
from stages.training import devices, tuning
from stages.training.batches import Batches, Validation, one_hot
from stages.training.determinism import make_reproducible
from stages.training.loop import assign, values
from stages.training.trainer import Trainer
from stages.zoo import tiny_cnn
from tests.training.small_training import PLAIN, blobs

make_reproducible(0)


def settings(**changed) -> SimpleNamespace:
    return SimpleNamespace(**{"blocks": 2, "layer_decay": 0.5} | changed)


def test_each_block_learns_at_a_share_of_the_rate_of_the_one_above():
    backbone = tiny_cnn.backbone(32)
    found = tuning.rates("tiny_cnn", backbone, settings())
    last = keras.Model(models.cut_at("tiny_cnn", backbone, 1), backbone.output)
    both = keras.Model(models.cut_at("tiny_cnn", backbone, 2), backbone.output)
    upper = {variable.path for variable in last.trainable_variables}
    lower = {variable.path for variable in both.trainable_variables} - upper
    assert upper
    assert lower
    assert found == dict.fromkeys(upper, 0.5) | dict.fromkeys(lower, 0.25)


def test_all_blocks_have_their_rates_and_none_without_decay():
    backbone = tiny_cnn.backbone(32)
    found = tuning.rates("tiny_cnn", backbone, settings(blocks="all"))
    assert found.keys() == {variable.path for variable in backbone.trainable_variables}
    assert set(found.values()) == {0.5, 0.25, 0.125}
    assert tuning.rates("tiny_cnn", backbone, settings(layer_decay=1)) == {}


def line(weight: float) -> keras.Model:
    """Logits (-w·x, w·x) of the first coordinate."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, use_bias=False)])
    kernel = np.zeros((3, 2))
    kernel[0] = -weight, weight
    model.layers[0].set_weights([kernel])
    return model


@pytest.mark.parametrize(("before", "after"), [(-1.0, 3.0), (0.2, -4.0), (0.1, 0.5), (2.0, 9.0)])
def test_the_average_is_the_mix_that_validates_best(before, after):
    points, labels = blobs()
    points = points - points.mean(axis=0)
    targets = one_hot(labels, 2)
    validation = Validation(points[:, None], targets, np.arange(40), batch_size=16)
    batches = Batches(points[:, None], targets, np.arange(len(points)), PLAIN, seed=0)
    model = line(after)
    trainer = Trainer(model, batches, devices.choose("cpu"))
    best = tuning.averaged(trainer, values(line(before).variables), validation)

    losses = []
    kept = values(model.variables)
    for share in tuning.SHARES:
        assign(model.variables, values(line((1 - share) * before + share * after).variables))
        losses.append(trainer.validate(validation)["val_loss"])
    assert best["tuned_share"] == tuning.SHARES[int(np.argmin(losses))]
    assert best["validation_loss"] == pytest.approx(min(losses), rel=1e-5)
    assert kept[0][0, 1] == pytest.approx(
        (1 - best["tuned_share"]) * before + best["tuned_share"] * after, rel=1e-5
    )
