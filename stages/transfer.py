"""Stage 6: transfer learning. A new head is trained on the features of the frozen backbone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stages import datasets, models
from stages.determinism import make_reproducible
from stages.errors import run
from stages.params import load
from stages.training import Batches, one_hot, train


def main(model: str) -> None:
    params = load("seed", "rgb.background", "transfer")
    listing = datasets.read_listing()
    make_reproducible(params.seed)
    folder = Path("models", model, "features")
    views, clean = np.load(folder / "views.npy"), np.load(folder / "clean.npy")
    count, size = views.shape[1:]
    head = models.head(size, len(listing.classes))
    head.get_layer("standardise").adapt(views.reshape(-1, size))

    targets = one_hot(listing.labels, len(listing.classes))
    rows, held_out = listing.rows("train"), listing.rows("validation")
    # Features cost nothing to show again: an epoch is every view of every picture.
    each = np.repeat(targets[rows], count, axis=0)
    batches = Batches(views.reshape(-1, 1, size), each, params.transfer, params.seed)
    validation = clean[held_out, 0], targets[held_out]
    curve = Path("reports/training", f"{model}-transfer")
    best = train(head, batches, validation, params.transfer, curve)

    card = models.card(model, "transfer", listing, params, best)
    pretrained = Path("models", model, "pretrained", models.BACKBONE)
    trained = models.count(head.trainable_variables)
    models.save_trained(Path("models", model, "transfer"), pretrained, head, trained, card)


if __name__ == "__main__":
    run(main)
