"""The tables that `dvc plots` and the VS Code extension draw: one table, one plot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from stages.statistics.runs import CURVES, PHASES, WATCHED, Run
from stages.statistics.scores import confusion, per_class
from stages.tables import write_table


def write_plot_tables(folder: Path, runs: Sequence[Run]) -> None:
    """Learning curves, confusion matrices and scores of the classes, of all runs."""
    for metric in CURVES:
        _write(folder / f"{metric}.csv", curve_rows(runs, metric))
    _write(folder / "confusion.csv", confusion_rows(runs))
    _write(folder / "classes.csv", class_rows(runs))


def curve_rows(runs: Sequence[Run], metric: str) -> Iterator[dict]:
    """A row per run, kind of pictures and epoch: one learning curve of each for `dvc plots`."""
    for run in runs:
        for pictures in WATCHED:
            for epoch, value in enumerate(run.curves[pictures, metric], start=1):
                yield names(run) | {"pictures": pictures, "epoch": epoch, metric: value}


def confusion_rows(runs: Sequence[Run]) -> Iterator[dict]:
    """A row per run and pair of classes that occurs among its test pictures."""
    for run in runs:
        matrix = confusion(run.test)
        pictures = matrix.sum(axis=1)
        classes = run.test.classes
        for actual, predicted in np.argwhere(matrix):
            count = matrix[actual, predicted]
            pair = {"actual": classes[actual], "predicted": classes[predicted], "count": count}
            yield names(run) | pair | {"share": f"{count / pictures[actual]:.4f}"}


def class_rows(runs: Sequence[Run]) -> Iterator[dict]:
    """A row per run and class: its scores on the test pictures."""
    for run in runs:
        for row in per_class(run.test):
            scores = {name: f"{row[name]:.4f}" for name in ("precision", "recall", "f1")}
            yield names(run) | {"class": row["class"], "support": row["support"]} | scores


def names(run: Run) -> dict[str, str]:
    """The columns that say in `dvc plots` which run a row is of."""
    return {"network": run.network, "phase": PHASES[run.phase], "run": run.name}


def _write(path: Path, rows: Iterable[dict]) -> None:
    """A table whose columns are those of its first row."""
    rows = list(rows)
    write_table(path, list(rows[0]), rows)
