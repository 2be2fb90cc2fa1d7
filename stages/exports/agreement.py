"""How far the answers of a file are from Keras's own, on the same pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stages.statistics.scores import Predictions

COLUMNS = (
    *("file", "bytes", "largest_difference", "agreement"),
    *("validation_accuracy", "points_lost", "test_accuracy"),
)


def row(file: str, size: int, keras: Predictions, probability: np.ndarray) -> dict[str, object]:
    """What a file of `size` bytes costs in accuracy.

    `keras` are Keras's predictions, `probability` float32 (n, classes) is what the file says of the
    same pictures. The difference is of probabilities, the agreement a share of test pictures;
    points are hundredths of accuracy on validation pictures, below zero where some are gained.
    """
    own = replace(keras, probability=probability, predicted=probability.argmax(axis=1))
    found = {split: accuracy(own.of(split)) for split in ("validation", "test")}
    lost = 100 * (accuracy(keras.of("validation")) - found["validation"])
    agree = own.of("test").predicted == keras.of("test").predicted
    return {
        "file": file,
        "bytes": size,
        "largest_difference": f"{np.abs(probability - keras.probability).max():.1e}",
        "agreement": f"{np.mean(agree):.4f}",
        "validation_accuracy": f"{found['validation']:.4f}",
        "points_lost": f"{lost:.2f}",
        "test_accuracy": f"{found['test']:.4f}",
    }


def accuracy(predictions: Predictions) -> float:
    return float(np.mean(predictions.actual == predictions.predicted))
