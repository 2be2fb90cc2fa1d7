"""Test-time augmentation: what heads say of a picture and its varied views, against of it alone.

    python -m benchmarks.views_at_test     # needs what `dvc repro features` makes; a minute

The heads of all folds are trained as in the stage `transfer`; each says of its fold's pictures what
it makes of them as they are, and the mean of its probabilities for them and all of their views.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.special import softmax
from tabulate import tabulate

from stages.params import load
from stages.pictures import datasets
from stages.statistics import intervals
from stages.training import devices
from stages.training.batches import stored
from stages.training.determinism import make_reproducible
from stages.training.heads import Heads

HEADER = ("network", "pictures", "alone", "with views", "points", "95 % interval")


def main() -> None:
    params = load("models", "seed", "device", "transfer")
    make_reproducible(params.seed)
    print(tabulate([row(model, params) for model in params.models], HEADER, tablefmt="pipe"))


def row(model: str, params) -> tuple:
    listing = datasets.read_listing()
    alone, together = (np.zeros(len(listing.files), bool) for _ in range(2))
    for rows, one, many in by_folds(model, listing, params):
        alone[rows] = one.argmax(axis=1) == listing.labels[rows]
        together[rows] = many.argmax(axis=1) == listing.labels[rows]
    low, high = intervals.difference(together, alone, np.asarray(listing.groups)).interval
    gained = together.mean() - alone.mean()
    return (
        *(model, len(alone), f"{alone.mean():.3f}", f"{together.mean():.3f}"),
        *(f"{100 * gained:.1f}", f"{100 * low:.1f} to {100 * high:.1f}"),
    )


def by_folds(
    model: str, listing: datasets.Listing, params
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Of each fold its rows, and probabilities (n, classes) without and with views."""
    folder, heads = Path("models", model, "features"), Heads(devices.choose(params.device))
    for fold in range(listing.fold_count):
        split = listing.testing(fold) if fold else listing
        batches, validation = inputs = stored(folder, split, params.transfer, params.seed)
        rows = split.rows("test")
        with heads.trained(f"views-{model}-{fold}", inputs) as trained:
            shown = np.concatenate([validation.inputs[rows], batches.inputs[rows]], axis=1)
            flat = shown.reshape(-1, shown.shape[-1]).astype(np.float32)
            said = softmax(trained.head(flat).numpy(), axis=1).reshape(*shown.shape[:2], -1)
        yield rows, said[:, 0], said.mean(axis=1)


if __name__ == "__main__":
    main()
