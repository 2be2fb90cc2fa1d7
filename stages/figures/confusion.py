"""Confusion matrices on the test pictures: what each class was taken for, run by run."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.patches import Rectangle

from stages.figures import Figure, Panel
from stages.figures.drawing import ACCENT, EITHER, HEAT, axes, tooltip
from stages.figures.report_data import Study
from stages.figures.text import columns, has_other_fonts, shortened
from stages.statistics.runs import Run
from stages.statistics.scores import confusion

CELLS = 40  # classes up to which a cell is an object of its own; beyond, the matrix is a picture
NUMBERS = 14  # classes up to which a cell has room for its number
LONGEST = 18  # columns of a class's name
NAMED = 12  # pixels that the name of a class needs


def figure(study: Study) -> Figure:
    runs = study.runs
    matrices = [confusion(run.test) for run in runs]
    classes = runs[0].predictions.classes
    side = max(240, min(540, 24 * len(classes))) if len(classes) > 10 else 240
    margin = 24 + 6 * min(LONGEST, max(map(columns, classes)))
    size = (side + margin + 8, side + margin + 24)
    return Figure(
        title="Confusion matrices on the test pictures",
        caption="Rows are actual classes, columns predicted ones; the diagonal is right. The "
        "darker a cell, the larger its share of the actual class; numbers are pictures.",
        description="One matrix per run. " + " ".join(map(_sentence, runs, matrices)),
        panels=[
            Panel(run.name, *size, partial(_draw, matrix, classes, margin))
            for run, matrix in zip(runs, matrices, strict=True)
        ],
        header=["run", "actual", "predicted", "pictures", "share of the actual class"],
        rows=[
            [run.name, *row]
            for run, matrix in zip(runs, matrices, strict=True)
            for row in most_confused(matrix, classes, 5)
        ],
    )


def most_confused(matrix: np.ndarray, classes: Sequence[str], count: int) -> list[list[str]]:
    """The largest numbers off the diagonal: actual class, predicted class, pictures, share."""
    wrong = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-wrong, axis=None, kind="stable")[:count]
    pairs = [np.unravel_index(index, wrong.shape) for index in order]
    return [
        [classes[a], classes[p], str(wrong[a, p]), f"{wrong[a, p] / matrix[a].sum():.0%}"]
        for a, p in pairs
        if wrong[a, p]
    ]


def _draw(matrix: np.ndarray, classes: Sequence[str], margin: int, canvas: FigureBase) -> None:
    area = axes(canvas, margin, 24, 8, margin)
    count = len(classes)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    if count > CELLS:
        shade = np.zeros((count, count, 4))
        shade[..., :3] = EITHER
        shade[..., 3] = np.sqrt(shares)
        area.imshow(shade, interpolation="nearest", aspect="auto")
    else:
        _cells(area, matrix, shares, classes)
    step = int(np.ceil(NAMED * count / area.bbox.width))
    shown = [shortened(name, LONGEST) for name in classes[::step]]
    area.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5), xlabel="predicted",
             ylabel="actual")  # fmt: skip
    area.set_xticks(range(0, count, step), shown, rotation=90, fontsize=9)
    area.set_yticks(range(0, count, step), shown, fontsize=9)
    area.grid(visible=False)
    if any(has_other_fonts(name) for name in shown):
        _place_without_measuring(area, margin)


def _place_without_measuring(area: Axes, margin: int) -> None:
    """The names end at the axes, the titles of the axes stand at the edge of the panel.

    Matplotlib puts both where the names' boxes end, and its boxes of missing letters are wide.
    """
    for label in area.get_xticklabels():
        label.set(rotation_mode="anchor", ha="right", va="center")
    width, height = area.bbox.size
    area.yaxis.set_label_coords((10 - margin) / width, 0.5)
    area.xaxis.set_label_coords(0.5, (14 - margin) / height)


def _cells(area, matrix: np.ndarray, shares: np.ndarray, classes: Sequence[str]) -> None:
    numbers = len(classes) <= NUMBERS
    colour = HEAT if numbers else ACCENT
    for actual, predicted in np.argwhere(matrix):
        number, share = matrix[actual, predicted], shares[actual, predicted]
        corner = (predicted - 0.48, actual - 0.48)
        cell = Rectangle(corner, 0.96, 0.96, fc=colour, lw=0, alpha=share)
        tooltip(
            area.add_artist(cell), f"{classes[actual]} taken for {classes[predicted]}: {number}"
        )
        if numbers:
            area.text(predicted, actual, number, ha="center", va="center", fontsize=9)


def _sentence(run: Run, matrix: np.ndarray) -> str:
    right = f"{run.name}: {np.trace(matrix)} of {matrix.sum()} pictures right"
    worst = most_confused(matrix, run.predictions.classes, 1)
    return f"{right}; most often {worst[0][0]} is taken for {worst[0][1]}." if worst else right
