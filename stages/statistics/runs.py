"""The study's training runs, as the stages before left them: predictions, curves, cards."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from stages.errors import StudyError
from stages.statistics.scores import Predictions, read_predictions
from stages.tables import read_json

PHASES = {"transfer": "transferred", "finetune": "fine-tuned"}
CURVES = ("accuracy", "loss")
WATCHED = ("train", "validation")  # the pictures that a curve is measured on


@dataclass(frozen=True)
class Run:
    """One network after one phase of training."""

    model: str  # as in params.yaml
    phase: str
    card: dict  # reports/cards/<model>-<phase>.json, a copy of the trained model's own
    predictions: Predictions
    curves: dict[tuple[str, str], np.ndarray]  # (pictures, metric): one value per epoch

    @property
    def network(self) -> str:
        return self.card["title"]

    @property
    def name(self) -> str:
        """How readers know it."""
        return f"{self.network}, {PHASES[self.phase]}"

    @cached_property
    def test(self) -> Predictions:
        """Its predictions for the test pictures."""
        return self.predictions.of("test")

    @cached_property
    def correct(self) -> np.ndarray:
        """Whether its prediction is, for each test picture: bool (n,)."""
        return self.test.actual == self.test.predicted


def read_runs(models: Sequence[str]) -> list[Run]:
    """The runs of the networks named, each network's phases side by side.

    Raises StudyError where a file is missing, or where two runs saw other pictures.
    """
    runs = [read_run(model, phase) for model in models for phase in PHASES]
    first = runs[0]
    for run in runs[1:]:
        if not _same_pictures(run.predictions, first.predictions):
            raise StudyError(
                f"{run.model} ({run.phase}) and {first.model} ({first.phase}) saw other pictures: "
                "`dvc repro` evaluates both on the present split"
            )
    return runs


def read_run(model: str, phase: str) -> Run:
    """One run from its files under reports/."""
    return Run(
        model,
        phase,
        read_json(Path("reports/cards", f"{model}-{phase}.json")),
        read_predictions(Path("reports/predictions", f"{model}-{phase}.csv")),
        {
            (pictures, metric): _curve(model, phase, pictures, metric)
            for pictures in WATCHED
            for metric in CURVES
        },
    )


def _curve(model: str, phase: str, pictures: str, metric: str) -> np.ndarray:
    path = Path("reports/training", f"{model}-{phase}", "plots/metrics", pictures, f"{metric}.tsv")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return np.array([float(row[metric]) for row in csv.DictReader(file, delimiter="\t")])
    except FileNotFoundError:
        raise StudyError(f"{path} is missing: `dvc repro` makes it") from None


def _same_pictures(one: Predictions, other: Predictions) -> bool:
    return (
        one.classes == other.classes
        and np.array_equal(one.files, other.files)
        and np.array_equal(one.splits, other.splits)
        and np.array_equal(one.actual, other.actual)
    )
