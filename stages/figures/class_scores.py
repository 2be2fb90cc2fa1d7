"""Classification reports on the test pictures as heat maps on one colour scale."""

from functools import partial

import numpy as np
from matplotlib.figure import FigureBase
from matplotlib.patches import Rectangle

from stages.figures import Figure, Panel
from stages.figures.drawing import EITHER, HEAT, INK, axes, tooltip
from stages.figures.report_data import Study
from stages.figures.text import columns, shortened
from stages.statistics.runs import Run
from stages.statistics.scores import per_class, summary

SCORES = ("precision", "recall", "f1")
ROW = 20  # pixels
LONGEST = 24  # columns of a class's name
CELLS = 40  # rows up to which each cell has its number; of more, the numbers are in the table


def figure(study: Study) -> Figure:
    runs = study.runs
    tables = [_table(run) for run in runs]
    lowest = min(value for table in tables for _, _, values in table for value in values)
    lowest = min(0.9, np.floor(lowest * 10) / 10)
    height = 60 + ROW * len(tables[0])
    margin = 30 + 6 * min(LONGEST, max(columns(name) for name, _, _ in tables[0]) + 4)
    return Figure(
        title="Classification reports on the test pictures",
        caption="Precision: of the pictures called so, the share that are. Recall: of the pictures "
        "that are, the share called so. F1: their harmonic mean. All runs share one colour scale, "
        f"from {lowest:.1f} (blank) to 1 (full). In brackets: number of test pictures.",
        description="One table per run. " + " ".join(map(_sentence, runs, tables)),
        panels=[
            Panel(run.name, margin + 170, height, partial(_draw, table, lowest, margin))
            for run, table in zip(runs, tables, strict=True)
        ],
        header=["run", "class", "test pictures", "precision", "recall", "F1"],
        rows=[
            [run.name, name, str(number), *(f"{value:.2f}" for value in values)]
            for run, table in zip(runs, tables, strict=True)
            for name, number, values in table
        ],
    )


def _table(run: Run) -> list[tuple[str, int, list[float]]]:
    """(class or average, pictures, precision, recall and F1)."""
    test = run.test
    rows = [
        (str(row["class"]), row["support"], [row[score] for score in SCORES])
        for row in per_class(test)
    ]
    figures = summary(test)
    return rows + [
        (f"{kind} average", len(test), [figures[f"{kind}_{score}"] for score in SCORES])
        for kind in ("macro", "weighted")
    ]


def _draw(table: list, lowest: float, margin: int, canvas: FigureBase) -> None:
    area = axes(canvas, margin, 48, 10, 12)
    if len(table) > CELLS:
        shade = np.full((len(table), 3, 4), (*EITHER, 0))
        shade[..., 3] = [values for _, _, values in table]
        shade[..., 3] = (shade[..., 3] - lowest) / (1 - lowest)
        area.imshow(shade, interpolation="nearest", aspect="auto")
    for row, (name, _, values) in enumerate(table if len(table) <= CELLS else []):
        for column, value in enumerate(values):
            depth = (value - lowest) / (1 - lowest)
            cell = Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, fc=HEAT, lw=0, alpha=depth)
            tooltip(area.add_artist(cell), f"{name}: {SCORES[column]} {value:.4f}")
            area.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=9)
    area.axhline(len(table) - 2.5, color=INK, linewidth=0.8)
    area.set(xlim=(-0.5, 2.5), ylim=(len(table) - 0.5, -0.5))
    area.xaxis.tick_top()
    area.set_xticks(range(3), ["precision", "recall", "F1"], fontsize=9)
    area.set_yticks(
        range(len(table)),
        [f"{shortened(name, LONGEST)} ({number})" for name, number, _ in table],
        fontsize=9,
    )
    area.tick_params(length=0)
    area.grid(visible=False)
    for spine in area.spines.values():
        spine.set_visible(False)


def _sentence(run: Run, table: list) -> str:
    name, _, values = min(table[:-2], key=lambda row: row[2][2])
    return f"{run.name}: macro F1 {table[-2][2][2]:.2f}, lowest for {name} ({values[2]:.2f})."
