"""Reliability diagrams: accuracy by confidence."""

from functools import partial

import numpy as np
from matplotlib.figure import FigureBase

from stages.figures import Figure, Panel
from stages.figures.drawing import ACCENT, MUTED, TRAIN, axes, tooltip
from stages.figures.report_data import Study
from stages.statistics.calibration import (
    BINS,
    calibration_error,
    fit_temperature,
    reliability,
    temperature_scaled,
)
from stages.statistics.runs import Run
from stages.statistics.scores import Predictions, losses


def figure(study: Study) -> Figure:
    temperatures = [fit_temperature(run.predictions.of("validation")) for run in study.runs]
    pairs = [
        (run.test, temperature_scaled(run.test, temperature))
        for run, temperature in zip(study.runs, temperatures, strict=True)
    ]
    return Figure(
        title="Reliability diagrams",
        caption="Test pictures by the confidence of the prediction, and the share of them that is "
        "right. On the dotted diagonal a run is calibrated, below it overconfident. A "
        "dot's area is its number of pictures. Scaled: the logits divided by one "
        "temperature, fitted on the validation pictures; it changes no prediction. ECE: expected "
        f"calibration error over {BINS} equal bins; on few pictures even a perfect model has some.",
        description=" ".join(map(_sentence, study.runs, temperatures, pairs)),
        panels=[
            Panel(run.name, 330, 330, partial(_draw, pair))
            for run, pair in zip(study.runs, pairs, strict=True)
        ],
        header=["run", "temperature", "ECE", "ECE scaled", "log loss", "log loss scaled"],
        rows=[
            [run.name, f"{temperature:.2f}", *_numbers(pair)]
            for run, temperature, pair in zip(study.runs, temperatures, pairs, strict=True)
        ],
    )


def _numbers(pair: tuple[Predictions, Predictions]) -> list[str]:
    errors = [calibration_error(predictions) for predictions in pair]
    return [
        f"{value:.3f}"
        for value in (*errors, *(np.mean(losses(predictions)) for predictions in pair))
    ]


def _draw(pair: tuple[Predictions, Predictions], canvas: FigureBase) -> None:
    area = axes(canvas, 44, 52, 12, 36)
    area.plot([0, 1], [0, 1], color=MUTED, linestyle=":", linewidth=1)
    for predictions, colour, marker, label in zip(
        pair, (TRAIN, ACCENT), "so", ("as trained", "scaled"), strict=True
    ):
        bins = reliability(predictions)
        bins = bins[bins[:, 0] > 0]
        area.plot(bins[:, 1], bins[:, 2], color=colour, linewidth=1)
        for pictures, sure, correct in bins:
            size = 14 + 260 * pictures / len(predictions)
            dot = area.scatter([sure], [correct], s=size, color=colour, marker=marker, alpha=0.8)
            tooltip(
                dot,
                f"{label}: {int(pictures)} pictures, confidence {sure:.2f}, accuracy {correct:.2f}",
            )
        area.plot([], [], color=colour, marker=marker, markersize=6,
                  label=f"{label}, ECE {calibration_error(predictions):.3f}")  # fmt: skip
    area.set(xlim=(0, 1.03), ylim=(-0.03, 1.05), xlabel="confidence", ylabel="accuracy")
    area.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, borderpad=0,
                columnspacing=1, handlelength=1.2, fontsize=9)  # fmt: skip


def _sentence(run: Run, temperature: float, pair: tuple[Predictions, Predictions]) -> str:
    before, after = (calibration_error(predictions) for predictions in pair)
    return (
        f"{run.name}: expected calibration error {before:.3f}, and {after:.3f} after scaling by "
        f"temperature {temperature:.2f}."
    )
