"""The figures of the report, in the order of its page: one file each, named below."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.figure import FigureBase

from stages.runs import Run

NAMES = ("curves", "splits", "confusion", "class_scores")


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
    """What a file of this folder makes of the runs.

    `description` is the text alternative: what a reader who cannot see it should know. `header` and
    `rows` are the same figures as numbers.
    """

    title: str
    caption: str
    description: str
    panels: Sequence[Panel]
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def figure(name: str, runs: Sequence[Run]) -> Figure:
    """The figure of one of NAMES."""
    return importlib.import_module(f"stages.figures.{name}").figure(runs)
