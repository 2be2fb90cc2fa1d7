"""The figures of the report, in the order of its page: one file each, named below.

Here: figures, their data (report_data), what they share (components, drawing, text), the page with
its conclusions (report.html.jinja, conclusions), tables for `dvc plots` (plot_tables). Not here:
how a number comes about (statistics).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.figure import FigureBase

from stages.figures.report_data import Study

SECTIONS = {
    "Is the difference real?": ("comparisons", "repeats", "repeat_differences"),
    "How did they learn?": ("learning_curves", "split_scores"),
    "What do they get right?": (
        "class_scores",
        "perfect_classes",
        "confusion",
        "prediction_changes",
        "examples",
    ),
    "Can they be trusted?": ("reliability", "risk_coverage"),
    "What do they cost?": ("model_sizes", "pareto", "exported_files"),
    "Where do they look?": ("heat_maps",),
    "Which pictures are wrong?": ("misclassified", "label_errors"),
    "What are the data?": ("split_counts", "provenance", "contact_sheet"),
}
NAMES = tuple(name for names in SECTIONS.values() for name in names)


@dataclass(frozen=True)
class Panel:
    """A part of a figure that stays whole: beside the others on a wide screen, else below them.

    `draw` paints it on a Matplotlib (sub)figure of `width` × `height` CSS pixels; the
    panels of one figure are of one size.
    """

    title: str
    width: int
    height: int
    draw: Callable[[FigureBase], None]


@dataclass(frozen=True)
class Figure:
    """What a file of this folder makes of the study.

    `description` is the text alternative: what a reader who cannot see it should know. `header` and
    `rows` are the same figures as numbers. `sentences` are results in words, shown as a list.
    """

    title: str
    caption: str
    description: str
    panels: Sequence[Panel]
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    sentences: Sequence[str] = ()


def figure(name: str, study: Study) -> Figure | None:
    """The figure of one of NAMES; None where the study has nothing for it."""
    return importlib.import_module(f"stages.figures.{name}").figure(study)
