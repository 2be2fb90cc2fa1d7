"""Metrics from predictions: a pure function of the predicted and the actual classes."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from stages.errors import StudyError
from stages.tables import write_table

COLUMNS = (
    "file",
    "group",
    "split",
    "fold",
    "actual",
    "predicted",
)  # then one probability per class
SPLITS = ("train", "validation", "test")
EPSILON = float(np.finfo(np.float32).eps)  # a probability below it counts as it: finite losses


@dataclass(frozen=True)
class Predictions:
    """Of one run for some pictures. `actual` and `predicted` are positions in `classes`."""

    classes: tuple[str, ...]
    files: np.ndarray  # text (n,)
    groups: np.ndarray  # text (n,): near duplicates share one
    splits: np.ndarray  # text (n,)
    folds: np.ndarray  # integer (n,): of cross-fitting; 0 holds the test pictures
    actual: np.ndarray  # integer (n,)
    predicted: np.ndarray  # integer (n,)
    probability: np.ndarray  # float64 (n, classes)

    def __len__(self) -> int:
        return len(self.files)

    def of(self, split: str) -> Predictions:
        """The part of one split."""
        return self.where(self.splits == split)

    def where(self, wanted: np.ndarray) -> Predictions:
        """The part that a mask or an array of positions selects."""
        arrays = (self.files, self.groups, self.splits, self.folds, self.actual, self.predicted)
        return Predictions(self.classes, *(a[wanted] for a in arrays), self.probability[wanted])


def pooled(parts: Sequence[Predictions]) -> Predictions:
    """Several parts as one, one below the other; all have the classes of the first."""
    columns = ("files", "groups", "splits", "folds", "actual", "predicted", "probability")
    return Predictions(
        parts[0].classes,
        *(np.concatenate([getattr(part, column) for part in parts]) for column in columns),
    )


class Pictures(Protocol):
    """What is known of some pictures; `labels` are positions in `classes`."""

    files: Sequence[str]
    groups: Sequence[str]
    splits: np.ndarray
    folds: np.ndarray
    classes: Sequence[str]
    labels: np.ndarray


def from_logits(pictures: Pictures, logits: np.ndarray) -> Predictions:
    """What logits (n, classes) say of n pictures, as probabilities that sum to 1."""
    odds = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float64)
    probability = odds / odds.sum(axis=1, keepdims=True)
    return Predictions(
        tuple(pictures.classes),
        np.array(pictures.files),
        np.array(pictures.groups),
        pictures.splits,
        pictures.folds,
        pictures.labels,
        probability.argmax(axis=1),
        probability,
    )


def write_predictions(path: str | Path, parts: Sequence[Predictions]) -> None:
    """A table of predictions, of one or more parts; probabilities to 8 significant digits."""
    classes = parts[0].classes
    rows = (
        [file, group, split, fold, classes[actual], classes[predicted]]
        + [f"{share:.8g}" for share in shares]
        for part in parts
        for file, group, split, fold, actual, predicted, shares in zip(
            *(part.files, part.groups, part.splits, part.folds, part.actual, part.predicted),
            part.probability,
            strict=True,
        )
    )
    columns = (*COLUMNS, *classes)
    write_table(path, columns, (dict(zip(columns, row, strict=True)) for row in rows))


def read_predictions(path: str | Path) -> Predictions:
    """A table of predictions, one row per picture. Raises StudyError where it is no such table."""
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            header = next(csv.reader(file), [])
        classes = tuple(header[len(COLUMNS) :])
        if tuple(header[: len(COLUMNS)]) != COLUMNS or len(classes) < 2:
            raise StudyError(f"{path} is no table of predictions: it needs {', '.join(COLUMNS)}, …")
        text, numbers = _columns(path, len(header))
    except FileNotFoundError:
        raise StudyError(f"{path} is missing: `dvc repro` makes it") from None
    except ValueError as error:
        raise StudyError(f"{path} cannot be read: {error}") from None
    if not len(text):
        raise StudyError(f"{path} has no rows: `dvc repro -f` on its stage makes it again")
    files, groups, splits, folds, actual, predicted = text.T
    return Predictions(
        classes,
        files,
        groups,
        splits,
        _numbers(folds, path),
        _positions(actual, classes, path),
        _positions(predicted, classes, path),
        numbers,
    )


def summary(predictions: Predictions) -> dict[str, float]:
    """The metrics of one run on one set of pictures; macro counts each class alike."""
    figures, support = _of_each_class(predictions)
    weighted = {name: np.average(each, weights=support) for name, each in figures.items()}
    return {
        "accuracy": float(np.mean(predictions.actual == predictions.predicted)),
        "log_loss": float(np.mean(losses(predictions))),
        **{f"macro_{name}": float(np.mean(each)) for name, each in figures.items()},
        **{f"weighted_{name}": float(value) for name, value in weighted.items()},
    }


def per_class(predictions: Predictions) -> list[dict[str, object]]:
    """Precision, recall, F1 and number of pictures (support) of each class."""
    figures, support = _of_each_class(predictions)
    return [
        {
            "class": label,
            **{name: float(each[place]) for name, each in figures.items()},
            "support": int(support[place]),
        }
        for place, label in enumerate(predictions.classes)
    ]


def confusion(predictions: Predictions) -> np.ndarray:
    """Pictures of each actual class (rows) by predicted class (columns): int64."""
    counts = np.zeros((len(predictions.classes),) * 2, np.int64)
    np.add.at(counts, (predictions.actual, predictions.predicted), 1)
    return counts


def losses(predictions: Predictions) -> np.ndarray:
    """Minus the logarithm of the probability given to the actual class, for each picture."""
    given = predictions.probability[np.arange(len(predictions)), predictions.actual]
    return -np.log(np.clip(given, EPSILON, 1.0))


def _of_each_class(predictions: Predictions) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Precision, recall and F1, float64 (classes,) each, and the pictures of each class.

    As in scikit-learn, whose import takes longer than all else of an evaluation: what nothing is
    divided by is 0, such as the precision of a class that is never predicted.
    """
    counts = confusion(predictions)
    right, actual, predicted = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    figures = {
        "precision": right / np.maximum(predicted, 1),
        "recall": right / np.maximum(actual, 1),
        "f1": 2 * right / np.maximum(actual + predicted, 1),
    }
    return figures, actual


def _columns(path: str | Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The columns of text and those of numbers: NumPy reads ten times as fast as `csv` here."""
    form = {"delimiter": ",", "quotechar": '"', "skiprows": 1, "comments": None, "ndmin": 2}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "loadtxt: input contained no data")
        text = np.loadtxt(path, str, usecols=range(len(COLUMNS)), **form)
        return text, np.loadtxt(path, float, usecols=range(len(COLUMNS), count), **form)


def _numbers(column: np.ndarray, path: str | Path) -> np.ndarray:
    try:
        return column.astype(np.int64)
    except ValueError as error:
        raise StudyError(f"{path} cannot be read: {error}") from None


def _positions(names: np.ndarray, classes: tuple[str, ...], path: str | Path) -> np.ndarray:
    position = {name: index for index, name in enumerate(classes)}
    try:
        return np.array([position[name] for name in names.tolist()])
    except KeyError as unknown:
        raise StudyError(f"{path}: class {unknown} has no column of probabilities") from None
