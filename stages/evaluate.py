"""Stage 8: what a trained model says of every picture, and how often it is right."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stages.pictures import datasets
from stages.runtime.program import run
from stages.statistics import scores
from stages.tables import read_json, write_json, write_table

SCORE_COLUMNS = ("split", "class", "support", "precision", "recall", "f1")


def main(model: str, phase: str) -> str:
    listing = datasets.read_listing()
    folder, name = Path("models", model, phase), f"{model}-{phase}"
    logits = np.load(folder / "logits.npy")  # the training has asked the model already
    predictions = Path("reports/predictions", f"{name}.csv")
    scores.write_predictions(predictions, [scores.from_logits(listing, logits)])
    said = scores.read_predictions(predictions)
    write_table(f"reports/scores/{name}.csv", SCORE_COLUMNS, score_rows(said))
    write_json(f"reports/cards/{name}.json", read_json(folder / "card.json"))
    test = scores.summary(said.of("test"))
    return "accuracy {accuracy:.3f}, macro F1 {macro_f1:.3f} on test pictures".format(**test)


def score_rows(said: scores.Predictions) -> list[dict]:
    """Precision, recall and F1 of each class and their two averages, for each split."""
    rows = []
    for split in datasets.SPLITS:
        part = said.of(split)
        figures = scores.summary(part)
        averages = [
            {"class": f"{kind} average", "support": len(part)}
            | {name: figures[f"{kind}_{name}"] for name in ("precision", "recall", "f1")}
            for kind in ("macro", "weighted")
        ]
        rows += [{"split": split} | row for row in (*scores.per_class(part), *averages)]
    return rows


if __name__ == "__main__":
    run(main)
