"""Size of the saved models, without and with the state of the optimiser."""

from functools import partial

from matplotlib.figure import FigureBase

from stages.figures import Figure, Panel
from stages.figures.components import name_row, no_rows_axis
from stages.figures.drawing import ACCENT, MUTED, axes, tooltip
from stages.figures.report_data import Study

ROW = 40  # pixels


def figure(study: Study) -> Figure:
    sizes = [(run.name, *megabytes(run.card)) for run in study.runs]
    return Figure(
        title="Size of the saved models",
        caption="Weights: what is needed to use a model. With optimiser: what a checkpoint to go "
        "on training needs besides, the two moments that Adam keeps for each trained parameter. A "
        "model trained as a whole weighs three times as much so; none of it is needed later.",
        description=" ".join(
            f"{name}: {weights:.1f} MB of weights, {both:.1f} MB with the optimiser."
            for name, weights, both in sizes
        ),
        panels=[Panel("Megabytes", 330, 86 + ROW * len(sizes), partial(_draw, sizes))],
        header=["run", "weights (MB)", "with optimiser (MB)", "parameters", "of these trained"],
        rows=[
            [name, f"{weights:.1f}", f"{both:.1f}", f"{run.card['parameters']:,}",
             f"{run.card['trained_parameters']:,}"]
            for run, (name, weights, both) in zip(study.runs, sizes, strict=True)
        ],
    )  # fmt: skip


def megabytes(card: dict) -> tuple[float, float]:
    """Of the weights, and with the state of the optimiser (1 MB: a million bytes)."""
    return card["bytes"]["weights"] / 1e6, card["bytes"]["with_optimizer"] / 1e6


def _draw(sizes: list[tuple[str, float, float]], canvas: FigureBase) -> None:
    area = axes(canvas, 16, 54, 16, 36)
    for row, (name, weights, both) in enumerate(sizes):
        for value, colour, label in ((both, MUTED, "with optimiser"), (weights, ACCENT, "weights")):
            (bar,) = area.barh([row], [value], height=0.3, color=colour, label=label)
            tooltip(bar, f"{name}, {label}: {value:.1f} MB")
        name_row(area, row - 0.08, f"{name}: {weights:.1f}, {both:.1f}")
    no_rows_axis(area, len(sizes))
    area.set(xlabel="MB")
    bars, labels = area.get_legend_handles_labels()
    canvas.legend(bars[1::-1], labels[1::-1], loc="upper right", ncols=2, borderaxespad=0.3,
                  bbox_to_anchor=(1, 1 - 22 / (86 + ROW * len(sizes))))  # fmt: skip
