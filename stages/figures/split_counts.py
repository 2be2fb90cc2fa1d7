"""How many pictures each class has, and in which split."""

from functools import partial

import numpy as np
from matplotlib.figure import FigureBase

from stages.figures import Figure, Panel
from stages.figures.drawing import SPLIT_COLOURS, axes, tooltip
from stages.figures.report_data import Study
from stages.figures.text import columns, shortened
from stages.statistics.scores import SPLITS

ROW = 20  # pixels
LONGEST = 20  # columns of a class's name


def figure(study: Study) -> Figure:
    predictions = study.runs[0].predictions
    counts = {
        split: np.bincount(
            predictions.actual[predictions.splits == split], minlength=len(predictions.classes)
        )
        for split in SPLITS
    }
    groups = [
        len(np.unique(predictions.groups[predictions.actual == i]))
        for i in range(len(predictions.classes))
    ]
    total = sum(counts.values())
    margin = 24 + 6 * min(LONGEST, max(map(columns, predictions.classes)))
    height = 90 + ROW * len(predictions.classes)
    return Figure(
        title="Classes and splits",
        caption="Pictures of each class by what they are used for. Near duplicates form a group, "
        "which stays on one side, so that no test picture has a twin among the training pictures.",
        description=f"{len(predictions)} pictures in {len(np.unique(predictions.groups))} groups: "
        + ", ".join(f"{counts[split].sum()} {split}" for split in SPLITS)
        + f". Fewest in {predictions.classes[total.argmin()]} ({total.min()}), most in "
        f"{predictions.classes[total.argmax()]} ({total.max()}).",
        panels=[
            Panel("Pictures", 660, height, partial(_draw, predictions.classes, counts, margin)),
        ],
        header=["class", *SPLITS, "all", "groups"],
        rows=[
            [name, *(str(counts[split][i]) for split in SPLITS), str(total[i]), str(groups[i])]
            for i, name in enumerate(predictions.classes)
        ],
    )


def _draw(classes: tuple[str, ...], counts: dict, margin: int, canvas: FigureBase) -> None:
    area = axes(canvas, margin, 52, 12, 36)
    start = np.zeros(len(classes))
    for split in SPLITS:
        bars = area.barh(range(len(classes)), counts[split], 0.66, start, label=split,
                         color=SPLIT_COLOURS[split])  # fmt: skip
        for bar, name, count in zip(bars, classes, counts[split], strict=True):
            tooltip(bar, f"{name}: {count} {split}")
        start += counts[split]
    area.set_yticks(range(len(classes)), [shortened(name, LONGEST + 1) for name in classes])
    area.set(ylim=(len(classes) - 0.4, -0.6), xlabel="pictures")
    area.tick_params(axis="y", length=0)
    area.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=3, borderpad=0)
