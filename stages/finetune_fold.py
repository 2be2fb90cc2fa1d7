"""Fine-tuning once more, on the split that tests another fold, for the predictions of its pictures.

The head that it starts from is trained first, as in `transfer`. Neither is kept.
"""

from __future__ import annotations

from pathlib import Path

from stages.errors import ParameterError
from stages.params import load
from stages.pictures import datasets
from stages.runtime.program import run
from stages.statistics import scores
from stages.training.both_phases import both_phases


def main(model: str, fold: str) -> str:
    params = load("seed", "device", "rgb.background", "augment", "transfer", "finetune")
    whole = datasets.read_listing()
    require_fold(fold, whole.fold_count)
    listing = whole.testing(int(fold))
    with both_phases(f"fold-{fold}", model, listing, params) as (_, tuned):
        said = scores.from_logits(listing, tuned.logits).of("test")
        scores.write_predictions(Path("reports/folds", f"{model}-finetune-{fold}.csv"), [said])
    accuracy = scores.summary(said)["accuracy"]
    return f"accuracy {accuracy:.3f} on the {len(said):,} pictures of fold {fold}"


def require_fold(fold: str, count: int) -> None:
    """Raises ParameterError for one that the split does not have."""
    if not (fold.isdecimal() and 1 <= int(fold) < count):
        raise ParameterError(
            f"params.yaml: evaluate.folds has {fold}; allowed here: 1 to {count - 1}, the folds "
            "of data/split.csv"
        )


if __name__ == "__main__":
    run(main)
