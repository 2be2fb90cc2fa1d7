"""Every run with other seeds: its scores, their mean and how far they vary."""

from __future__ import annotations

from functools import partial
from math import sqrt

import numpy as np
from matplotlib.figure import FigureBase

from stages.figures import Figure, Panel
from stages.figures.components import SEEDS, name_row, no_rows_axis, seed_dots
from stages.figures.drawing import GRID, axes
from stages.figures.report_data import Study
from stages.figures.text import fitting
from stages.statistics.seed_variation import SCORES, Repeats, points, standard_deviation

ROW = 50  # pixels
WIDTH = 330
NAMES = dict(zip(SCORES, ("accuracy", "macro F1"), strict=True))


def figure(study: Study) -> Figure | None:
    repeats = study.repeats
    if repeats is None:
        return None
    count = len(repeats.seeds)
    unsure = 100 / sqrt(2 * (count - 1))  # the standard error of an SD, as a share of it
    return Figure(
        title="The runs with other seeds",
        caption=f"Seeds {', '.join(map(str, repeats.seeds))}, one below the other: each splits the "
        "same pictures anew and trains every network again. Filled: the study's own seed, which "
        "the rest of this page is about. Upright line: mean; grey bar: mean ± standard deviation "
        f"(SD). Of {count} seeds, an SD is itself uncertain by {unsure:.0f} %.",
        description=_described(study, repeats),
        panels=[
            Panel(f"Test {name}", WIDTH, 70 + ROW * len(study.runs), partial(_draw, study, score))
            for score, name in NAMES.items()
        ],
        header=["run", "score", "mean, %", "SD", "lowest", "highest",
                *(f"seed {seed}" for seed in repeats.seeds)],
        rows=[
            [run.name, NAMES[score], *_cells(repeats.scores[score][place])]
            for place, run in enumerate(study.runs) for score in SCORES
        ],
        sentences=[_variation(repeats)],
    )  # fmt: skip


def _draw(study: Study, score: str, canvas: FigureBase) -> None:
    area = axes(canvas, 16, 34, 16, 36)
    area.grid(visible=False)
    for row, (run, values) in enumerate(zip(study.runs, study.repeats.scores[score], strict=True)):
        ends = 100 * (values.mean() + standard_deviation(values) * np.array([-1, 1]))
        middle = [row + SEEDS / 2] * 2
        area.plot(ends, middle, color=GRID, linewidth=15, solid_capstyle="butt")
        seed_dots(area, row, values, study.repeats.seeds)
        name_row(area, row - 0.08, fitting(run.name, WIDTH - 32))
    no_rows_axis(area, len(study.runs))
    area.set_xlabel(f"{NAMES[score]}, %")


def _cells(values: np.ndarray) -> list[str]:
    figures = (values.mean(), standard_deviation(values), values.min(), values.max(), *values)
    return [points(value) for value in figures]


def _variation(repeats: Repeats) -> str:
    deviations = [standard_deviation(values) for values in repeats.scores["accuracy"]]
    return (
        "From seed to seed, the accuracy of one and the same run varies by "
        f"{points(min(deviations))} to {points(max(deviations))} percentage points (standard "
        f"deviation over {len(repeats.seeds)} seeds); the leaderboard is of seed "
        f"{repeats.seeds[0]} alone."
    )


def _described(study: Study, repeats: Repeats) -> str:
    told = [
        f"{run.name}: {points(values.mean())} %, {points(values.min())} to {points(values.max())}"
        for run, values in zip(study.runs, repeats.scores["accuracy"], strict=True)
    ]
    return f"Test accuracy over {len(repeats.seeds)} seeds, mean and range. {'; '.join(told)}."
