"""What fine-tuning changes, and how networks differ, seed by seed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from matplotlib.figure import FigureBase

from stages.figures import Figure, Panel
from stages.figures.components import SEEDS, name_row, no_rows_axis, seed_dots
from stages.figures.drawing import INK, MUTED, axes
from stages.figures.report_data import Study
from stages.figures.text import fitting
from stages.statistics.seed_variation import (
    MIN_SEEDS,
    SCORES,
    Difference,
    differences,
    points,
    standard_deviation,
)

ROW = 64  # pixels
SHOWN = 12
WIDTH = 330


def figure(study: Study) -> Figure | None:
    repeats = study.repeats
    if repeats is None:
        return None
    accuracy, macro_f1 = (differences(study.runs, repeats, score) for score in SCORES)
    shown = accuracy[: max(SHOWN, len(study.runs) // 2)]
    left_out = len(accuracy) - len(shown)
    return Figure(
        title="Differences with other seeds",
        caption="Difference in test accuracy, in percentage points, of two runs with the same seed "
        "and so the same split; a dot a seed, as above, thin line: none. "
        + _how_sure(len(repeats.seeds))
        + (f" Of all pairs, {left_out} are in the table only." if left_out else ""),
        description=" ".join(d.sentence for d in shown[:3]),
        panels=[
            Panel("Difference in accuracy", WIDTH, 70 + ROW * len(shown),
                  partial(_draw, shown, repeats.seeds))
        ],
        header=["run", "against", "percentage points of", "mean", "SD", "lowest", "highest",
                "95 % CI", *(f"seed {seed}" for seed in repeats.seeds)],
        rows=[
            [d.first.name, d.second.name, name, *_cells(d)]
            for pair in zip(accuracy, macro_f1, strict=True)
            for name, d in zip(("accuracy", "macro F1"), pair, strict=True)
        ],
        sentences=[d.sentence for d in shown],
    )  # fmt: skip


def _draw(shown: Sequence[Difference], seeds: Sequence[int], canvas: FigureBase) -> None:
    area = axes(canvas, 16, 46, 16, 36)
    area.grid(visible=False)
    for row, d in enumerate(shown):
        area.plot([0, 0], [row, row + SEEDS], color=INK, linewidth=1)  # not through the names
        if d.interval:
            ends = [100 * end for end in d.interval]
            area.plot(ends, [row + SEEDS / 2] * 2, color=MUTED, linewidth=1.5)
        seed_dots(area, row, d.values, seeds, sign="+")
        first, second = (fitting(run.name, WIDTH - 60) for run in (d.first, d.second))
        name_row(area, row - 0.31, first)
        area.annotate(f"against {second}", (0, row - 0.09), (0, 9), color=MUTED,
                      xycoords=("axes fraction", "data"), textcoords="offset pixels")  # fmt: skip
    no_rows_axis(area, len(shown))
    drawn = "; grey line: 95 % CI" if any(d.interval for d in shown) else ""
    area.set_xlabel(f"percentage points{drawn}")


def _cells(d: Difference) -> list[str]:
    middle, low, high = (points(v, "+") for v in (d.values.mean(), d.values.min(), d.values.max()))
    ends = "\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}".join(points(e, "+") for e in d.interval or ())
    each = [points(value, "+") for value in d.values]
    return [middle, points(standard_deviation(d.values)), low, high, ends or "–", *each]


def _how_sure(count: int) -> str:
    if count < MIN_SEEDS:
        return f"{count} seeds are too few for an interval: {MIN_SEEDS} are the least."
    return (
        f"95 % CI: t interval over {count} seeds, widened as splits of the same pictures overlap "
        "(Nadeau, Bengio 2003); each stands for itself, uncorrected for their number."
    )
