"""What the metrics would have been on other test pictures: the bootstrap, by group.

B. Efron, R. Tibshirani: An Introduction to the Bootstrap, 1993. Groups of near duplicates are drawn
whole, as pictures that resemble each other are no independent evidence, and every run is scored on
the same draws: differences between runs are paired.
"""

from __future__ import annotations

import numpy as np

from stages.runtime.randomness import generator
from stages.statistics import intervals
from stages.statistics.intervals import LEVEL
from stages.statistics.scores import Predictions, losses

REPLICATES = 2000


def draws(predictions: Predictions, seed: int) -> np.ndarray:
    """float32 (REPLICATES, groups): how often each group is drawn, groups sorted by name."""
    groups = len(np.unique(predictions.groups))
    chances = np.full(groups, 1 / groups)
    drawn = generator(seed, "bootstrap").multinomial(groups, chances, size=REPLICATES)
    return drawn.astype(np.float32)


def replicates(predictions: Predictions, drawn: np.ndarray) -> dict[str, np.ndarray]:
    """Each metric on each draw: float64 (REPLICATES,).

    Macro figures are means over the classes that have a picture in the draw.
    """
    _, group = np.unique(predictions.groups, return_inverse=True)

    def total(columns: np.ndarray) -> np.ndarray:
        sums = np.zeros((drawn.shape[1], columns.shape[1]), np.float32)
        np.add.at(sums, group, columns)
        return (drawn @ sums).astype(np.float64)

    classes = np.eye(len(predictions.classes), dtype=np.float32)
    actual, predicted = total(classes[predictions.actual]), total(classes[predictions.predicted])
    right = total(
        classes[predictions.actual] * (predictions.actual == predictions.predicted)[:, None]
    )
    pictures = actual.sum(axis=1)
    occurs = actual > 0
    each = {
        "precision": right / np.maximum(predicted, 1),
        "recall": right / np.maximum(actual, 1),
        "f1": 2 * right / np.maximum(actual + predicted, 1),
    }
    return {
        "accuracy": right.sum(axis=1) / pictures,
        "log_loss": total(losses(predictions)[:, None])[:, 0] / pictures,
        **{
            f"macro_{name}": (values * occurs).sum(axis=1) / occurs.sum(axis=1)
            for name, values in each.items()
        },
    }


def metric_interval(name: str, values: np.ndarray, predictions: Predictions) -> tuple[float, float]:
    """The 95 % interval of a metric of a run: of an accuracy by formula, else from its replicates.

    One method for every accuracy, so that the interval of a run and those of comparisons agree.
    """
    if name != "accuracy":
        return interval(values)
    correct = predictions.actual == predictions.predicted
    return intervals.accuracy_interval(correct, predictions.groups)


def interval(values: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of the replicates (percentile interval)."""
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
