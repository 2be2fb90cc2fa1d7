"""Stage 7: fine-tuning. The transferred head and the last blocks are trained together.

What the frozen blocks make of each view is on disk (training/activations.py), so only the tuned
blocks run here. BatchNorm keeps the statistics that it was published with
(zoo/parts/fixed_batch_norm.py).
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from stages import zoo
from stages.networks import models
from stages.params import Finetune, load, own_value
from stages.pictures import datasets
from stages.runtime.program import run
from stages.training import devices
from stages.training.activations import FrozenBackbone
from stages.training.batches import Validation, stored
from stages.training.determinism import make_reproducible
from stages.training.learning_curve import in_words
from stages.training.loop import Values, assign, checkpoint, train, values
from stages.training.trainer import Trainer

SHARES = tuple(share / 10 for share in range(11))


def main(model: str) -> str:
    params = load("seed", "device", "rgb.background", "augment", "finetune")
    settings = params.finetune = of_network(params.finetune, model)
    listing = datasets.read_listing()
    make_reproducible(params.seed)
    device = devices.choose(params.device, zoo.lookup(model).ENTRY.family)
    inputs = FrozenBackbone(model, listing, params, device).activations()
    batches, validation = stored(inputs, listing, settings, params.seed)
    keras.config.set_dtype_policy(device.precision)
    with device.strategy.scope():
        backbone, head, tuned = to_tune(model, settings, batches.inputs, len(listing.classes))

    before = values(tuned.variables) if settings.average else []
    trainer = Trainer(tuned, batches, device, rates(model, backbone, settings))
    with checkpoint(f"{model}-finetune", trainer, batches, validation) as kept:
        curve = Path("reports/training", f"{model}-finetune")
        chosen = train(trainer, batches, validation, curve, kept)
        if settings.average:
            chosen |= averaged(trainer, before, validation)
        card = models.card(model, "finetune", listing, params, chosen)
        trained = models.count(tuned.trainable_variables)
        models.save_trained(Path("models", model, "finetune"), backbone, head, trained, card)
    return in_words(chosen)


def of_network(settings: Finetune, model: str) -> Finetune:
    """The settings with the learning rate that they mean for this network."""
    rate = own_value(settings.learning_rate, model, zoo.lookup(model).ENTRY.tune_rate)
    return settings.model_copy(update={"learning_rate": rate})


def to_tune(
    model: str, settings: Finetune, inputs: np.ndarray, classes: int
) -> tuple[keras.Model, keras.Model, keras.Model]:
    """The pretrained backbone, the transferred head, and of both the part that takes `inputs`."""
    backbone = models.pretrained(model)
    cut = models.cut_at(model, backbone, settings.blocks)
    upper = models.upper(backbone, cut, pixels=inputs.dtype == np.uint8)
    head = models.load_head(Path("models", model, "transfer"), upper.output_shape[1], classes)
    return backbone, head, keras.Model(upper.input, head(upper.output))


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


def averaged(trainer: Trainer, before: Values, validation: Validation) -> dict[str, float]:
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


if __name__ == "__main__":
    run(main)
