"""Learning curves: accuracy and loss of each run while it was trained."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.figure import FigureBase
from matplotlib.ticker import MaxNLocator

from stages.figures import Figure, Panel
from stages.figures.drawing import SPLIT_COLOURS, axes
from stages.figures.report_data import Study
from stages.statistics.runs import CURVES, WATCHED, Run

DASHES = {"train": (0, (4, 1.5)), "validation": "-"}


def figure(study: Study) -> Figure:
    runs = study.runs
    limits = {metric: _limits(runs, metric) for metric in CURVES}
    return Figure(
        title="Learning curves",
        caption="Accuracy (share of pictures classified correctly) and loss (cross-entropy) after "
        "each epoch. Training figures are measured on augmented pictures, and in fine-tuning on "
        "mixtures of two (mixup), which are harder than the pictures themselves: a training curve "
        "below the validation curve is expected. All panels share their scales.",
        description="Two line charts per run. " + " ".join(map(_sentence, runs)),
        panels=[Panel(run.name, 330, 330, partial(_draw, run, limits)) for run in runs],
        header=["run", "epochs", "training accuracy", "validation accuracy", "validation loss"],
        rows=[_row(run) for run in runs],
    )


def _draw(run: Run, limits: dict, canvas: FigureBase) -> None:
    upper = axes(canvas, 44, 44, 8, 170)
    lower = axes(canvas, 44, 178, 8, 36, sharex=upper)
    for metric, area in zip(CURVES, (upper, lower), strict=True):
        for pictures in WATCHED:
            values = run.curves[pictures, metric]
            style = {"color": SPLIT_COLOURS[pictures], "linestyle": DASHES[pictures]}
            area.plot(range(1, len(values) + 1), values, label=pictures, **style)
        area.set(ylabel=metric, ylim=limits[metric])
    upper.tick_params(labelbottom=False)
    upper.legend(loc="lower right", bbox_to_anchor=(1.02, 0.98), ncols=2, borderpad=0)
    lower.set_xlabel("epoch")
    lower.xaxis.set_major_locator(MaxNLocator(6, integer=True))


def _limits(runs: Sequence[Run], metric: str) -> tuple[float, float]:
    values = np.concatenate([run.curves[pictures, metric] for run in runs for pictures in WATCHED])
    if metric == "accuracy":
        return max(0.0, np.floor(values.min() * 10) / 10), 1.01
    return 0.0, float(values.max()) * 1.05


def _row(run: Run) -> list[str]:
    accuracy, loss = run.curves["validation", "accuracy"], run.curves["validation", "loss"]
    last = [run.curves["train", "accuracy"][-1], accuracy[-1], loss[-1]]
    return [run.name, str(len(loss)), *(f"{value:.3f}" for value in last)]


def _sentence(run: Run) -> str:
    loss = run.curves["validation", "loss"]
    return (
        f"{run.name}: {len(loss)} epochs, validation loss lowest after epoch "
        f"{loss.argmin() + 1} ({loss.min():.2f})."
    )
