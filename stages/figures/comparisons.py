"""Differences in accuracy between runs, with what chance alone would do."""

from collections.abc import Sequence
from functools import partial

from matplotlib.figure import FigureBase

from stages.figures import Figure, Panel
from stages.figures.components import name_row, no_rows_axis
from stages.figures.drawing import ACCENT, INK, MUTED, axes, tooltip
from stages.figures.report_data import Study
from stages.figures.text import fitting
from stages.statistics.comparisons import Comparison, in_words

ROW = 52  # pixels
SHOWN = 12
WIDTH = 330


def figure(study: Study) -> Figure:
    shown = in_view(study)
    height = 70 + ROW * len(shown)
    left_out = len(study.comparisons) - len(shown)
    return Figure(
        title="Differences between runs",
        caption="Difference in accuracy on the same pictures, in percentage points, with its 95 % "
        f"interval. {_which(study)}p is of the same test as the interval, but Holm-corrected for "
        f"all {len(study.comparisons)} comparisons; both count groups of near duplicates, as "
        "pictures that resemble each other are no independent evidence. “Not significantly” is no "
        "proof of equality. The number of pictures needed is for a single comparison at level 0.05 "
        "and power 0.8, if the true difference is the one seen."
        + (f" Of all pairs, {left_out} are in the table only." if left_out else ""),
        description=" ".join(c.sentence for c in shown[:3]),
        panels=[Panel("Difference in accuracy", WIDTH, height, partial(_draw, shown))],
        header=["run", "against", "pictures", "percentage points", "95 % CI", "only it right",
                "only the other right", "p", "pictures needed"],
        rows=[_row(c) for c in study.comparisons],
        sentences=[c.sentence for c in shown],
    )  # fmt: skip


def in_view(study: Study) -> list[Comparison]:
    """What readers ask first: the best run against each other one, what fine-tuning changed."""
    best = study.best
    asked = [c for c in study.comparisons if best in (c.first, c.second)]
    tuned = [c for c in study.comparisons if c.first.model == c.second.model]
    rest = sorted(study.comparisons, key=lambda c: c.p)
    unique = dict.fromkeys(map(id, (*tuned, *asked, *rest)))
    by_id = {id(c): c for c in study.comparisons}
    return [by_id[key] for key in unique][: max(SHOWN, len(tuned))]


def _draw(shown: Sequence[Comparison], canvas: FigureBase) -> None:
    area = axes(canvas, 16, 34, 16, 36)
    area.grid(visible=False)
    for row, c in enumerate(shown):
        colour = ACCENT if c.significant else MUTED
        ends = [100 * c.low, 100 * c.high]
        area.plot([0, 0], [row - 0.12, row + 0.12], color=INK, linewidth=1)  # not through the names
        area.plot(ends, [row, row], color=colour, linewidth=2.5, solid_capstyle="butt")
        filled = colour if c.significant else "none"
        mark = area.scatter(
            [100 * c.difference], [row], s=48, color=colour, facecolor=filled, zorder=3
        )
        tooltip(mark, c.sentence)
        first, second = (fitting(run.name, WIDTH - 110) for run in (c.first, c.second))
        name_row(area, row - 0.27, first)
        area.annotate(f"against {second}, {c.pictures:,} pictures", (0, row), (0, 9), color=MUTED,
                      xycoords=("axes fraction", "data"), textcoords="offset pixels")  # fmt: skip
    no_rows_axis(area, len(shown))
    area.set_xlabel("percentage points; filled: significant")


def _which(study: Study) -> str:
    """Which pictures runs are compared on, where it is not the test pictures everywhere."""
    if all(c.folds == 1 for c in study.comparisons):
        return "The pictures are the test pictures. "
    return (
        "Two runs are compared on every picture that both predicted with a network that never saw "
        "it or its near duplicates: transferred heads on all, fine-tuned networks on the test "
        "pictures and those of the folds of evaluate.folds. "
    )


def _row(c: Comparison) -> list[str]:
    needed = "" if c.needed is None else f"{c.needed:,}"
    points = [f"{100 * value:.1f}" for value in (c.difference, c.low, c.high)]
    counts = [str(c.only_first), str(c.only_second)]
    return [c.first.name, c.second.name, str(c.pictures), points[0], f"{points[1]} to {points[2]}",
            *counts, in_words(c.p).removeprefix("p = "), needed]  # fmt: skip
