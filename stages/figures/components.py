"""Components of several figures: named rows of bars or dots, a picture with lines beside it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from PIL import Image

from stages.figures.drawing import ACCENT, INK, MUTED, TEST, WRONG, tooltip
from stages.figures.text import fitting
from stages.pictures import images, shards
from stages.statistics.runs import Run
from stages.statistics.seed_variation import points

PICTURE = 104  # pixels, of a picture beside its lines
LINE = 13  # pixels
SEEDS = 0.28  # of a row: from the dot of the first seed to that of the last
WHITE = "#ffffff"
RGB = Path("data/rgb")


def name_row(area: Axes, row: float, name: str) -> None:
    """A name above the row of a chart, at its left edge: long ones need no margin so."""
    area.annotate(name, (0, row), (0, 9), xycoords=("axes fraction", "data"),
                  textcoords="offset pixels", color=INK)  # fmt: skip


def no_rows_axis(area: Axes, rows: int) -> None:
    """Rows from above, named by `name_row` and not by an axis."""
    area.set(ylim=(rows - 0.6, -0.75), yticks=[])
    area.spines["left"].set_visible(False)


def seed_dots(
    area: Axes, row: float, values: np.ndarray, seeds: Sequence[int], sign: str = ""
) -> None:
    """A dot per seed, in percent, and their mean: one below the other, as equal ones would hide."""
    area.plot([100 * values.mean()] * 2, [row - 0.03, row + SEEDS + 0.03], color=INK, linewidth=2)
    heights = row + np.linspace(0, SEEDS, len(seeds))
    for place, (seed, height, value) in enumerate(zip(seeds, heights, values, strict=True)):
        filling = "none" if place else ACCENT
        dot = area.scatter([100 * value], [height], s=28, color=ACCENT, facecolor=filling, zorder=3)
        tooltip(dot, f"seed {seed}: {points(value, sign)}")


def thumbnail(file: str, side: int) -> np.ndarray:
    """A picture of data/rgb on a white square: uint8 (side, side, 3)."""
    with Image.open(io.BytesIO(shards.read(RGB, file))) as picture:
        return images.square(picture, side, WHITE)


def sheet(canvas: FigureBase) -> Axes:
    """Axes over the whole panel, in its pixels from the upper left corner, to put pictures on."""
    area = canvas.add_axes((0, 0, 1, 1))
    width, height = canvas.bbox.size
    area.set(xlim=(0, width), ylim=(height, 0), autoscale_on=False)
    area.set_axis_off()
    return area


def show(area: Axes, pixels: np.ndarray, left: float, top: float, side: float) -> None:
    """A square picture at a place on a sheet."""
    place = (left, left + side, top + side, top)
    area.imshow(pixels, extent=place, interpolation="none", aspect="auto")


def exhibit(canvas: FigureBase, pixels: np.ndarray, lines: Sequence[tuple[str, dict]]) -> None:
    """A picture below the panel's title, and lines of text with their style on its right."""
    area = sheet(canvas)
    show(area, pixels, 2, 28, PICTURE)
    width = canvas.bbox.width
    for number, (text, style) in enumerate(lines):
        style = {"fontsize": 10, "va": "top"} | style
        text = fitting(text, width - PICTURE - 14, style["fontsize"])
        area.text(PICTURE + 14, 28 + LINE * number, text, **style)


def exhibit_height(lines: int) -> int:
    return 28 + max(PICTURE, LINE * lines) + 12


def prediction_lines(runs: Sequence[Run], row: int) -> list[tuple[str, dict]]:
    """Two lines per run: its name, and its prediction for a test picture."""
    lines = []
    for run in runs:
        style = {"color": TEST} if run.correct[row] else {"color": WRONG, "weight": "bold"}
        lines += [(run.name, {"color": MUTED, "fontsize": 9}), (prediction_text(run, row), style)]
    return lines


def prediction_text(run: Run, row: int) -> str:
    """A run's prediction for a test picture: ✓ or ✗, class, confidence."""
    test = run.test
    sure = test.probability[row, test.predicted[row]]
    return (
        f"{'✓' if run.correct[row] else '✗'} {test.classes[test.predicted[row]]} {100 * sure:.0f} %"
    )
