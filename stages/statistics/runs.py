"""The study's training runs, as the stages before left them: predictions, curves, cards."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from stages.errors import StudyError
from stages.statistics.scores import Predictions, pooled, read_predictions
from stages.tables import read_json

PHASES = {"transfer": "transferred", "finetune": "fine-tuned"}
CURVES = ("accuracy", "loss")
WATCHED = ("train", "validation")  # the pictures that a curve is measured on
OF_MODELS = ("exports", "maps")  # folders of reports/, a network an entry
OF_RUNS = ("cards", "predictions", "scores", "training")  # a run an entry
REPORTS = Path("reports")


@dataclass(frozen=True)
class Run:
    """One network after one phase of training."""

    model: str  # as in params.yaml
    phase: str
    card: dict  # reports/cards/<model>-<phase>.json, a copy of the trained model's own
    predictions: Predictions
    curves: dict[tuple[str, str], np.ndarray]  # (pictures, metric): one value per epoch
    other_folds: Sequence[Predictions] = ()  # of the network that was trained without each

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
    def cross_fitted(self) -> Predictions:
        """Its predictions for the pictures of all folds that there are, sorted by file.

        Each is by the network of its phase that saw neither the picture nor a near duplicate. The
        test pictures are fold 0, so they are all where no other fold was asked for.
        """
        said = pooled([self.test, *self.other_folds])
        return said.where(np.argsort(said.files, kind="stable"))

    @cached_property
    def cross_fitted_correct(self) -> np.ndarray:
        """Whether its prediction is, for each picture of `cross_fitted`: bool (n,)."""
        return self.cross_fitted.actual == self.cross_fitted.predicted

    @cached_property
    def cross_fitted_groups(self) -> np.ndarray:
        """The group of each picture of `cross_fitted`, as a number: int64 (n,)."""
        return np.unique(self.cross_fitted.groups, return_inverse=True)[1]

    @cached_property
    def correct(self) -> np.ndarray:
        """Whether its prediction is, for each test picture: bool (n,)."""
        return self.test.actual == self.test.predicted


def read_runs(
    models: Sequence[str], reports: Path = REPORTS, tuned_folds: Sequence[int] | None = None
) -> list[Run]:
    """The runs of the networks named, each network's phases side by side.

    `tuned_folds` are those besides 0 on which networks were fine-tuned; heads were on all. Without,
    runs are read as they are on the test split alone. Raises StudyError where a file is missing, or
    where two runs saw other pictures.
    """
    runs = [read_run(model, phase, reports) for model in models for phase in PHASES]
    first = runs[0]
    for run in runs[1:]:
        if not (
            _same_pictures(run.predictions, first.predictions)
            and np.array_equal(run.predictions.splits, first.predictions.splits)
        ):
            raise StudyError(
                f"{run.model} ({run.phase}) and {first.model} ({first.phase}) saw other pictures: "
                "`dvc repro` evaluates both on the present split"
            )
    if tuned_folds is None:
        return runs
    return [with_folds(run, tuned_folds, reports) for run in runs]


def with_folds(run: Run, tuned: Sequence[int], reports: Path = REPORTS) -> Run:
    """The run with what networks trained without each further fold say of it.

    Raises StudyError where these are not the pictures of the folds.
    """
    names = fold_files([run.model], tuned, run.phase)
    parts = [read_predictions(reports / "folds" / f"{name}.csv") for name in names]
    if not parts:
        return run
    wanted = tuned if run.phase == "finetune" else np.setdiff1d(run.predictions.folds, [0])
    known = run.predictions.where(np.isin(run.predictions.folds, wanted))
    same_classes = all(part.classes == known.classes for part in parts)
    sorted_by_file = [each.where(np.argsort(each.files)) for each in (pooled(parts), known)]
    if not (same_classes and _same_pictures(*sorted_by_file)):
        raise StudyError(
            f"reports/folds has other pictures of {run.model} ({run.phase}) than data/split.csv: "
            "`dvc repro` makes them on the present folds"
        )
    return replace(run, other_folds=parts)


def fold_files(models: Sequence[str], tuned: Sequence[int], phase: str | None = None) -> list[str]:
    """What is in reports/folds, without its suffix: of one phase, or of both."""
    named = {
        "transfer": [f"{model}-transfer" for model in models],
        "finetune": [f"{model}-finetune-{fold}" for model in models for fold in tuned],
    }
    return named[phase] if phase else [name for names in named.values() for name in names]


def remove_leftovers(
    models: Sequence[str], repeats: Sequence[int], tuned_folds: Sequence[int] = ()
) -> None:
    """Remove what an earlier study left in reports/ of runs that are not among those of this one.

    A stage of a matrix removes its own outputs alone, and none that is no longer in `models`. DVC
    takes all of such a folder for the report's dependency, and readers for the study's results.
    """
    runs = {f"{model}-{phase}" for model in models for phase in PHASES}
    seeds = {f"{model}-{seed}" for model in models for seed in repeats}
    wanted = dict.fromkeys(OF_RUNS, runs) | {folder: {*models} for folder in OF_MODELS}
    wanted["repeats"] = seeds
    wanted["folds"] = {*fold_files(models, tuned_folds)}
    for folder, names in wanted.items():
        for path in (REPORTS / folder).glob("[!.]*"):
            if path.stem not in names:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def read_run(model: str, phase: str, reports: Path = REPORTS) -> Run:
    """One run from its files under reports/."""
    name = f"{model}-{phase}"
    return Run(
        model,
        phase,
        read_json(reports / "cards" / f"{name}.json"),
        read_predictions(reports / "predictions" / f"{name}.csv"),
        {
            (pictures, metric): _curve(reports / "training" / name, pictures, metric)
            for pictures in WATCHED
            for metric in CURVES
        },
    )


def _curve(folder: Path, pictures: str, metric: str) -> np.ndarray:
    path = folder / "plots/metrics" / pictures / f"{metric}.tsv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return np.array([float(row[metric]) for row in csv.DictReader(file, delimiter="\t")])
    except FileNotFoundError:
        raise StudyError(f"{path} is missing: `dvc repro` makes it") from None


def _same_pictures(one: Predictions, other: Predictions) -> bool:
    return (
        one.classes == other.classes
        and np.array_equal(one.files, other.files)
        and np.array_equal(one.groups, other.groups)
        and np.array_equal(one.folds, other.folds)
        and np.array_equal(one.actual, other.actual)
    )
