"""Plots of the runs whose predictions changed most, before and after side by side, as images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from app.changes.paired import Change, in_classes
from stages import figures
from stages.figures.drawing import render
from stages.figures.report_data import Study
from stages.statistics.runs import Run

FIGURES = ("learning_curves", "confusion")
MOST = 2  # runs


def draw(found: Sequence[Change], base: str, folder: Path) -> Iterator[str]:
    """Markdown for a file beside the folder, in whose png/ and svg/ they are."""
    runs = [run for change in most_changed(found) for run in both(change, base)]
    if not runs:
        return
    study = Study(
        0,
        runs,
        found=(),
        raw={},
        latency={},
        training_time={},
        exports={},
        export_latency={},
        maps={},
    )
    yield "### Plots of what changed most"
    for name in FIGURES:
        figure = figures.figure(name, study)
        render(figure, name, folder)
        yield f"![{figure.title}]({quote(folder.name)}/png/{name}.png)"


def most_changed(found: Sequence[Change]) -> list[Change]:
    """By the number of shared test pictures for which another class is predicted."""
    same = [c for c in found if c.before.name == c.after.name and c.otherwise]
    return sorted(same, key=lambda change: -change.otherwise)[:MOST]


def both(change: Change, base: str) -> Iterator[Run]:
    """The two runs under names of their own, and with the same classes."""
    classes = dict.fromkeys([*change.after.test.classes, *change.before.test.classes])
    for run, place in ((change.before, base), (change.after, "this branch")):
        title = f"{place}: {run.network}"
        seen = in_classes(run.predictions, list(classes))
        yield replace(run, card=run.card | {"title": title}, predictions=seen)
