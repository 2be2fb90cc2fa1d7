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
    features = Path("models", model, "features")
    views, clean = np.load(features / "views.npy"), np.load(features / "clean.npy")
    targets = one_hot(listing.labels, len(listing.classes))
    rows, held_out = listing.rows("train"), listing.rows("validation")

    head = models.head(views.shape[-1], len(listing.classes))
    head.get_layer("standardise").adapt(views.reshape(-1, views.shape[-1]))
    best = train(
        head,
        Batches(views, targets[rows], params.transfer, params.seed),
        (clean[held_out, 0], targets[held_out]),
        params.transfer,
        Path("reports/training", f"{model}-transfer"),
    )
    pretrained = Path("models", model, "pretrained", models.BACKBONE)
    trained = models.count(head.trainable_variables)
    card = models.card(model, "transfer", listing, params, best)
    models.save_trained(Path("models", model, "transfer"), pretrained, head, trained, card)


if __name__ == "__main__":
    run(main)
