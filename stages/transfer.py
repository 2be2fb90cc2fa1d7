"""Stage 6: transfer learning. A new head is trained on the features of the frozen backbone.

And once more for each further fold, a matter of seconds: so every picture is predicted by a head
that saw neither it nor its near duplicates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from stages.networks import models
from stages.params import load
from stages.pictures import datasets
from stages.pictures.datasets import Listing
from stages.runtime.program import run
from stages.runtime.progress import followed
from stages.statistics import scores
from stages.training import devices
from stages.training.batches import Batches, Validation, stored
from stages.training.determinism import make_reproducible
from stages.training.heads import Heads
from stages.training.learning_curve import in_words


def main(model: str) -> str:
    params = load("seed", "device", "rgb.background", "transfer")
    listing = datasets.read_listing()
    make_reproducible(params.seed, threads=1)  # a head's operations are too small to share out
    heads = Heads(devices.choose(params.device))
    folder, name = Path("models", model), f"{model}-transfer"

    inputs = partial(stored, folder / "features", settings=params.transfer, seed=params.seed)
    with heads.trained(name, inputs(listing), Path("reports/training", name)) as trained:
        card = models.card(model, "transfer", listing, params, trained.chosen)
        pretrained, head = folder / "pretrained" / models.BACKBONE, trained.head
        count = models.count(head.trainable_variables)
        models.save_trained(folder / "transfer", pretrained, head, count, card, trained.logits)

    others = fold_by_fold(name, listing, inputs, heads)
    said = followed(others, f"{model} folds", listing.fold_count - 1, "fold")
    scores.write_predictions(Path("reports/folds", f"{name}.csv"), list(said))
    return in_words(trained.chosen)


Inputs = Callable[[Listing], tuple[Batches, Validation]]


def fold_by_fold(
    name: str, listing: Listing, inputs: Inputs, heads: Heads
) -> Iterator[scores.Predictions]:
    """Of each fold but the study's own: what a head says of it that is trained without it."""
    for fold in range(1, listing.fold_count):
        split = listing.testing(fold)
        with heads.trained(f"{name}-{fold}", inputs(split)) as trained:
            yield scores.from_logits(split, trained.logits).of("test")


if __name__ == "__main__":
    run(main)
