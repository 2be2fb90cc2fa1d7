"""Stage 6: transfer learning. A new head is trained on the features of the frozen backbone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stages.networks import models
from stages.params import load
from stages.pictures import datasets
from stages.runtime.program import run
from stages.training import devices
from stages.training.batches import Batches, stored
from stages.training.determinism import make_reproducible
from stages.training.learning_curve import in_words
from stages.training.loop import checkpoint, train
from stages.training.trainer import Trainer


def main(model: str) -> str:
    params = load("seed", "device", "rgb.background", "transfer")
    listing = datasets.read_listing()
    make_reproducible(params.seed)
    device = devices.choose(params.device)
    folder = Path("models", model)
    batches, validation = stored(folder / "features", listing, params.transfer, params.seed)
    batches = every_view(batches)
    with device.strategy.scope():
        head = models.head(batches.inputs.shape[-1], len(listing.classes))
        models.standardise(head, batches.inputs)

    trainer = Trainer(head, batches, device)
    with checkpoint(f"{model}-transfer", trainer, batches, validation) as kept:
        curve = Path("reports/training", f"{model}-transfer")
        chosen = train(trainer, batches, validation, curve, kept)
        card = models.card(model, "transfer", listing, params, chosen)
        pretrained = folder / "pretrained" / models.BACKBONE
        trained = models.count(head.trainable_variables)
        models.save_trained(folder / "transfer", pretrained, head, trained, card)
    return in_words(chosen)


def every_view(batches: Batches) -> Batches:
    """Features cost nothing to show again: an epoch is every view of every picture."""
    pictures, views, size = batches.inputs.shape
    inputs = batches.inputs.reshape(pictures * views, 1, size)
    targets = np.repeat(batches.targets, views, axis=0)
    return Batches(inputs, targets, batches.settings, batches.seed)


if __name__ == "__main__":
    run(main)
