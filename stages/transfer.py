"""Stage 6: transfer learning. A new head is trained on the features of the frozen backbone.

And once more for each further fold, a matter of seconds: so every picture is predicted by a head
that saw neither it nor its near duplicates.
"""

from __future__ import annotations

from pathlib import Path

from stages.networks import models
from stages.params import load
from stages.pictures import datasets
from stages.runtime.program import run
from stages.runtime.progress import progress
from stages.statistics import scores
from stages.training import devices
from stages.training.batches import stored
from stages.training.determinism import make_reproducible
from stages.training.heads import trained_head
from stages.training.learning_curve import in_words


def main(model: str) -> str:
    params = load("seed", "device", "rgb.background", "transfer")
    listing = datasets.read_listing()
    make_reproducible(params.seed)
    device = devices.choose(params.device)
    folder, name = Path("models", model), f"{model}-transfer"

    def inputs(fold: int):
        split = listing.testing(fold)
        return stored(folder / "features", split, params.transfer, params.seed)

    with trained_head(name, inputs(0), device, Path("reports/training", name)) as trained:
        card = models.card(model, "transfer", listing, params, trained.chosen)
        pretrained, head = folder / "pretrained" / models.BACKBONE, trained.head
        count = models.count(head.trainable_variables)
        models.save_trained(folder / "transfer", pretrained, head, count, card, trained.logits)

    tested = []
    with progress(f"{model} folds", listing.fold_count - 1, "fold") as advance:
        for fold in range(1, listing.fold_count):
            with trained_head(f"{name}-{fold}", inputs(fold), device) as other:
                split = listing.testing(fold)
                tested.append(scores.from_logits(split, other.logits).of("test"))
            advance(1)
    scores.write_predictions(Path("reports/folds", f"{name}.csv"), tested)
    return in_words(trained.chosen)


if __name__ == "__main__":
    run(main)
