"""What fine-tuning did to each network's predictions: corrected, newly wrong, wrong otherwise."""

from collections import Counter
from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.figure import FigureBase

from stages.figures import Figure, Panel
from stages.figures.components import name_row, no_rows_axis
from stages.figures.drawing import MUTED, TEST, TRAIN, WRONG, axes, tooltip
from stages.figures.report_data import Study
from stages.statistics.runs import Run

ROW = 40  # pixels
COLOURS = {"corrected": TEST, "still wrong, same class": MUTED, "wrong, other class": TRAIN,
           "newly wrong": WRONG}  # fmt: skip


def figure(study: Study) -> Figure:
    pairs = list(zip(study.runs[::2], study.runs[1::2], strict=True))
    counts = [outcomes(before, after) for before, after in pairs]
    highest = max(max(count.values()) for count in counts)
    return Figure(
        title="What fine-tuning changed",
        caption="Test pictures that a network gets wrong with the transferred head, fine-tuned, or "
        "both. “Wrong, other class”: the wrong prediction changed class.",
        description=" ".join(map(_sentence, pairs, counts)),
        panels=[
            Panel(before.network, 330, 66 + ROW * len(COLOURS), partial(_draw, count, highest))
            for (before, _), count in zip(pairs, counts, strict=True)
        ],
        header=["network", "actual", "transferred", "fine-tuned", "pictures"],
        rows=[row for pair in pairs for row in moved(*pair)] or [["all", "–", "–", "–", "0"]],
    )


def outcomes(before: Run, after: Run) -> dict[str, int]:
    """Test pictures by what became of their prediction, those right both times left out."""
    was, now = ~before.correct, ~after.correct
    same = before.test.predicted == after.test.predicted
    masks = (was & ~now, was & now & same, was & now & ~same, ~was & now)
    return {name: int(mask.sum()) for name, mask in zip(COLOURS, masks, strict=True)}


def moved(before: Run, after: Run) -> list[list[str]]:
    """Every prediction that changed class: network, actual, from, to, pictures; most first."""
    rows = np.flatnonzero(before.test.predicted != after.test.predicted)
    names = np.array(before.test.classes)
    kinds = zip(before.test.actual[rows], before.test.predicted[rows], after.test.predicted[rows],
                strict=True)  # fmt: skip
    counted = sorted(Counter(kinds).items(), key=lambda item: (-item[1], item[0]))
    return [[before.network, *names[list(kind)].tolist(), str(count)] for kind, count in counted]


def _draw(count: dict[str, int], highest: int, canvas: FigureBase) -> None:
    area = axes(canvas, 16, 34, 16, 36)
    for row, (name, number) in enumerate(count.items()):
        (bar,) = area.barh([row], [number], height=0.3, color=COLOURS[name])
        tooltip(bar, f"{name}: {number}")
        name_row(area, row - 0.08, f"{name}: {number}")
    no_rows_axis(area, len(count))
    area.set(xlim=(0, max(1, highest) * 1.02), xlabel="test pictures")


def _sentence(pair: Sequence[Run], count: dict[str, int]) -> str:
    words = ", ".join(f"{number} {name}" for name, number in count.items())
    return f"{pair[0].network}: {words}."
