"""Accuracy and loss of every run on the training, validation and test pictures."""

from functools import partial

from matplotlib.figure import FigureBase

from stages.figures import Figure, Panel
from stages.figures.drawing import GRID, INK, SPLIT_COLOURS, TEST, axes, tooltip
from stages.figures.report_data import Study
from stages.statistics.scores import SPLITS, summary

MARKERS = {"train": "v", "validation": "s", "test": "o"}
LABELS = {"accuracy": "accuracy", "log_loss": "log loss"}
ROW = 40  # pixels


def figure(study: Study) -> Figure:
    runs = study.runs
    figures = [{split: summary(run.predictions.of(split)) for split in SPLITS} for run in runs]
    height = 84 + ROW * len(runs)
    return Figure(
        title="Accuracy and loss on training, validation and test pictures",
        caption="Accuracy is better further right, log loss further left. All pictures are "
        "without augmentation. A wide gap between training and test is overfitting. The green bar "
        "is the 95 % interval of the test figure.",
        description=" ".join(
            f"{run.name}: test accuracy {values['test']['accuracy']:.3f}, "
            f"test log loss {values['test']['log_loss']:.3f}."
            for run, values in zip(runs, figures, strict=True)
        ),
        panels=[
            Panel(LABELS[key].capitalize(), 330, height, partial(_draw, study, figures, key))
            for key in LABELS
        ],
        header=["run", *(f"{split} {LABELS[key]}" for key in LABELS for split in SPLITS)],
        rows=[
            [run.name, *(f"{values[split][key]:.3f}" for key in LABELS for split in SPLITS)]
            for run, values in zip(runs, figures, strict=True)
        ],
    )


def _draw(study: Study, figures: list, key: str, canvas: FigureBase) -> None:
    area = axes(canvas, 16, 48, 16, 36)
    for row, (run, values) in enumerate(zip(study.runs, figures, strict=True)):
        ends = [values[split][key] for split in SPLITS]
        area.plot([min(ends), max(ends)], [row, row], color=GRID, linewidth=3, zorder=1)
        area.plot(study.interval(row, key), [row + 0.16] * 2, color=TEST, linewidth=1.5)
        area.annotate(run.name, (0, row), (0, 9), xycoords=("axes fraction", "data"),
                      textcoords="offset pixels", color=INK)  # fmt: skip
        for split, value in zip(SPLITS, ends, strict=True):
            style = {"color": SPLIT_COLOURS[split], "marker": MARKERS[split]}
            mark = area.scatter([value], [row], s=46, zorder=3, label=split, **style)
            tooltip(mark, f"{run.name}, {split} pictures: {LABELS[key]} {value:.4f}")
    area.set(ylim=(len(study.runs) - 0.6, -0.75), yticks=[], xlabel=LABELS[key])
    if key == "log_loss":
        area.set_xlim(left=0)
    area.spines["left"].set_visible(False)
    marks, names = area.get_legend_handles_labels()
    canvas.legend(marks[:3], names[:3], loc="upper right", ncols=3, columnspacing=1,
                  handletextpad=0, borderpad=0, borderaxespad=0.3)  # fmt: skip
