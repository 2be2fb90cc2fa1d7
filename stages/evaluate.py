"""Stage 8: what a trained model says of every picture, and how often it is right."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import keras
import numpy as np

from stages.networks import models
from stages.params import load
from stages.pictures import datasets
from stages.pictures.datasets import Listing
from stages.runtime.program import run
from stages.runtime.progress import followed
from stages.statistics import scores
from stages.tables import write_json, write_table
from stages.training import devices
from stages.training.determinism import make_reproducible

BATCH = 32
SCORE_COLUMNS = ("split", "class", "support", "precision", "recall", "f1")


def main(model: str, phase: str) -> str:
    listing = datasets.read_listing()
    make_reproducible(seed=0)  # nothing is drawn here
    devices.choose(load("device").device)
    network, card = models.load_trained(Path("models", model, phase))
    looks = card["image_size"], card["background"]
    pieces = datasets.pixels_in_pieces(listing.files, *looks, BATCH)
    name, total = f"evaluate {model} {phase}", len(listing.files)
    probability = predict(network, followed(pieces, name, total, "picture", len))

    run_name = f"{model}-{phase}"
    predictions = Path("reports/predictions", f"{run_name}.csv")
    columns = (*scores.COLUMNS, *card["classes"])
    write_table(predictions, columns, prediction_rows(listing, probability))
    said = scores.read_predictions(predictions)
    write_table(f"reports/scores/{run_name}.csv", SCORE_COLUMNS, score_rows(said))
    write_json(f"reports/cards/{run_name}.json", card)  # apart from the weights, for the report
    test = scores.summary(said.of("test"))
    return "accuracy {accuracy:.3f}, macro F1 {macro_f1:.3f} on test pictures".format(**test)


def predict(network: keras.Model, pieces: Iterable[np.ndarray]) -> np.ndarray:
    """Pieces of uint8 (n, size, size, 3) → float64 (all, classes), probabilities that sum to 1."""
    said = [network.predict_on_batch(np.asarray(datasets.scaled(pixels))) for pixels in pieces]
    logits = np.concatenate(said).astype(np.float64)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def prediction_rows(listing: Listing, probability: np.ndarray) -> list[dict]:
    """A row per picture with the probability of every class, to 8 significant digits."""
    named = [listing.classes[position] for position in probability.argmax(axis=1)]
    facts = zip(listing.files, listing.groups, listing.splits, listing.labels, named, strict=True)
    return [
        dict(zip(scores.COLUMNS, (file, group, split, listing.classes[label], said), strict=True))
        | {name: f"{p:.8g}" for name, p in zip(listing.classes, shares, strict=True)}
        for (file, group, split, label, said), shares in zip(facts, probability, strict=True)
    ]


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
