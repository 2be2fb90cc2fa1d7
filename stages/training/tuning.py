"""Fine-tuning: a trained head and the last blocks of the backbone are trained together.

What the frozen blocks make of each view is on disk (activations.py), so only the tuned blocks run.
BatchNorm keeps the statistics that it was published with (zoo/parts/fixed_batch_norm.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from stages import zoo
from stages.networks import models
from stages.params import Finetune, own_value
from stages.training.batches import Batches, Validation
from stages.training.devices import Device
from stages.training.learning_curve import Figures
from stages.training.loop import Values, assign, checkpoint, train, values
from stages.training.predictions import answering
from stages.training.trainer import Trainer

SHARES = tuple(share / 10 for share in range(11))


@dataclass(frozen=True)
class Tuned:
    """A tuned network in its two parts, and what is said of it.

    `trained` counts the parameters that were tuned; `chosen` has the figures of the epoch whose
    weights these are.
    """

    backbone: keras.Model
    head: keras.Model
    trained: int
    chosen: Figures
    logits: np.ndarray  # float32 (pictures, classes), of every picture


@contextmanager
def tuned_network(
    name: str,
    model: str,
    head: keras.Model,
    inputs: tuple[Batches, Validation],
    device: Device,
    curve: Path | None = None,
) -> Iterator[Tuned]:
    """A network tuned on stored activations, from a trained head, built in the device's scope.

    Killed inside the block, it goes on after its last whole epoch. `name` is that of its
    checkpoint, which is gone after the block.
    """
    batches, validation = inputs
    settings = batches.settings
    keras.config.set_dtype_policy(device.precision)
    with device.strategy.scope():
        backbone = models.pretrained(model)
        network = to_tune(model, settings, batches.inputs, backbone, head)
    before = values(network.variables) if settings.average else []
    trainer = Trainer(network, batches, device, rates(model, backbone, settings))
    with checkpoint(name, trainer, batches, validation) as kept:
        chosen = train(trainer, batches, validation, curve, kept)
        if settings.average:
            chosen |= averaged(trainer, before, validation)
        trained = models.count(network.trainable_variables)
        if device.precision != "float32":
            network = in_float32(model, settings, batches.inputs, backbone, head)
        yield Tuned(backbone, head, trained, chosen, answering(network)(validation.inputs))


def of_network(settings: Finetune, model: str) -> Finetune:
    """The settings with the learning rate that they mean for this network."""
    rate = own_value(settings.learning_rate, model, zoo.lookup(model).ENTRY.tune_rate)
    return settings.model_copy(update={"learning_rate": rate})


def to_tune(
    model: str,
    settings: Finetune,
    inputs: np.ndarray,
    backbone: keras.Model,
    head: keras.Model,
) -> keras.Model:
    """The part of a backbone that takes `inputs`, and the head: it shares their weights."""
    cut = models.cut_at(model, backbone, settings.blocks)
    upper = models.upper(backbone, cut, pixels=inputs.dtype == np.uint8)
    return keras.Model(upper.input, head(upper.output))


def in_float32(
    model: str,
    settings: Finetune,
    inputs: np.ndarray,
    tuned: keras.Model,
    head: keras.Model,
) -> keras.Model:
    """The tuned part as those run it that load its weights: not in the device's precision."""
    keras.config.set_dtype_policy("float32")
    backbone = models.pretrained(model)
    assign(backbone.variables, values(tuned.variables))
    return to_tune(model, settings, inputs, backbone, head)


def rates(model: str, backbone: keras.Model, settings: Finetune) -> dict[str, float]:
    """Layer-wise decay: the share of the learning rate of each variable below the head, by path.

    Each block learns at `layer_decay` times the rate of what is above it. Clark et al. 2020,
    https://arxiv.org/abs/2003.10555; for vision transformers Bao et al. 2021,
    https://arxiv.org/abs/2106.08254.
    """
    found: dict[str, float] = {}
    if settings.layer_decay == 1:
        return found
    for depth in range(1, models.tuned_blocks(model, settings.blocks) + 1):
        upper = keras.Model(models.cut_at(model, backbone, depth), backbone.output)
        for variable in upper.trainable_variables:
            found.setdefault(variable.path, settings.layer_decay**depth)
    return found


def averaged(trainer: Trainer, before: Values, validation: Validation) -> Figures:
    """Leave the network with the mix of transferred and tuned weights that validates best.

    WiSE-FT, Wortsman et al. 2022, https://arxiv.org/abs/2109.01903. Returns the tuned weights'
    share, the lowest validation loss and the accuracy there.
    """
    variables = trainer.model.variables
    after, found = values(variables), {}
    for share in SHARES:
        assign(variables, mix(before, after, share))
        found[share] = trainer.validate(validation)
    best = min(found, key=lambda share: found[share]["val_loss"])
    assign(variables, mix(before, after, best))
    figures = {f"validation_{name}": found[best][f"val_{name}"] for name in ("loss", "accuracy")}
    return {"tuned_share": best} | figures


def mix(before: Values, after: Values, share: float) -> Values:
    """Values between two: `before` at 0, `after` at 1."""
    pairs = zip(before, after, strict=True)
    return [((1 - share) * old + share * new).astype(old.dtype) for old, new in pairs]
