"""Accuracy against what it costs: size, parameters, operations, time per picture, training."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from stages.figures import Figure, Panel
from stages.figures.drawing import ACCENT, GRID, INK, MUTED, axes, tooltip
from stages.figures.model_sizes import megabytes
from stages.figures.report_data import Study
from stages.figures.text import fitting

NAMED = 12  # runs up to which all points have room for a name; beyond, those of the front

MEASURED = {
    "gflops": "GFLOPs per picture",
    "median_1_ms": "ms per picture, one at a time",
    "median_32_ms": "ms per picture, 32 at a time",
}


@dataclass(frozen=True)
class Point:
    name: str
    cost: float
    accuracy: float
    interval: tuple[float, float]


def figure(study: Study) -> Figure:
    measures = {"weights (MB)": [megabytes(run.card)[0] for run in study.runs],
                "parameters (millions)": [run.card["parameters"] / 1e6 for run in study.runs],
                **measured(study, MEASURED)}  # fmt: skip
    slowest = measured(study, {"p95_1_ms": "its 95th percentile", "p95_32_ms": "that of 32"})
    training = trained(study)
    plots = {label: points(study, costs) for label, costs in (measures | training).items()}
    return Figure(
        title="Accuracy against cost",
        caption="Test accuracy with its 95 % interval against what a run costs; further up and to "
        "the left is better. Filled: nothing is both cheaper and more accurate (the Pareto front). "
        + _measured_on(study),
        description=" ".join(
            f"By {label}, the front is {', '.join(p.name for p in front(found))}."
            for label, found in plots.items()
        ),
        panels=[
            Panel(f"By {label}", 330, 300, partial(_draw, label, found))
            for label, found in plots.items()
        ],
        header=["run", "test accuracy", *measures, *slowest, *training],
        rows=[
            [
                run.name,
                f"{scores['accuracy']:.3f}",
                *(f"{costs[i]:.2f}" for costs in (measures | slowest | training).values()),
            ]
            for i, (run, scores) in enumerate(zip(study.runs, study.scores, strict=True))
        ],
    )


def measured(study: Study, columns: dict[str, str]) -> dict[str, list[float]]:
    """Costs that a network has to be run for; none unless all networks were measured."""
    rows = [study.latency.get(run.model) for run in study.runs]
    if None in rows:
        return {}
    return {label: [float(row[name]) for row in rows] for name, label in columns.items()}


def trained(study: Study) -> dict[str, list[float]]:
    """Minutes of training; none unless all runs were measured."""
    rows = [study.training_time.get((run.model, run.phase)) for run in study.runs]
    if None in rows:
        return {}
    return {"minutes of training": [float(row["seconds"]) / 60 for row in rows]}


def points(study: Study, costs: Sequence[float]) -> list[Point]:
    return [
        Point(run.name, cost, study.scores[i]["accuracy"], study.interval(i, "accuracy"))
        for i, (run, cost) in enumerate(zip(study.runs, costs, strict=True))
    ]


def front(found: Sequence[Point]) -> list[Point]:
    """The points that no other beats in both, cheapest first."""
    best, kept = -1.0, []
    for point in sorted(found, key=lambda p: (p.cost, -p.accuracy)):
        if point.accuracy > best:
            best = point.accuracy
            kept.append(point)
    return kept


def _draw(label: str, found: Sequence[Point], canvas: FigureBase) -> None:
    area = axes(canvas, 48, 34, 14, 36)
    on_front = front(found)
    area.step([p.cost for p in on_front], [100 * p.accuracy for p in on_front], where="post",
              color=GRID, zorder=1)  # fmt: skip
    for point in found:
        ends = [100 * end for end in point.interval]
        area.plot([point.cost, point.cost], ends, color=MUTED, linewidth=1, zorder=1)
        filled = ACCENT if point in on_front else "none"
        mark = area.scatter([point.cost], [100 * point.accuracy], s=48, color=ACCENT,
                            facecolor=filled, zorder=3)  # fmt: skip
        tooltip(mark, f"{point.name}: {100 * point.accuracy:.1f} %, {label} {point.cost:.2f}")
    highest = max(p.cost for p in found)
    area.set_xlim(0, highest * 1.08)
    _name(area, found if len(found) <= NAMED else on_front, highest / 2)
    area.set_xlabel(label, color=MUTED)
    area.set_ylabel("test accuracy, %")


def _name(area: Axes, shown: Sequence[Point], middle: float) -> None:
    """Names beside the points, from above, each below the one before."""
    above = np.inf
    for point in sorted(shown, key=lambda p: -p.accuracy):
        place = (point.cost, 100 * point.accuracy)
        height = area.transData.transform(place)[1]
        above = min(height + 6, above - 12)
        left = point.cost <= middle
        area.annotate(fitting(point.name, 180, 9), place, (7 if left else -7, above - height),
                      textcoords="offset pixels", fontsize=9, color=INK, va="center",
                      ha="left" if left else "right")  # fmt: skip


def _measured_on(study: Study) -> str:
    told = []
    if not measured(study, MEASURED):
        told.append("python -m benchmarks.latency measures operations and time per picture.")
    if not trained(study):
        told.append("python -m benchmarks.training_time measures how long a run trains.")
    rows = [*study.latency.values(), *study.training_time.values()]
    if machines := sorted({row["machine"] for row in rows}):
        told.append(
            f"Times were measured once, on {' and '.join(machines)}, those per picture as medians; "
            "they are an input of this page and not made again with it. Training includes what "
            "comes before it: the frozen backbone's features, and of a fine-tuned run the head."
        )
    return " ".join(told)
