"""Ten test pictures drawn at random, one a class, with what every run says of them."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.figure import FigureBase

from stages.figures import Figure, Panel
from stages.figures.components import (
    exhibit,
    exhibit_height,
    prediction_lines,
    prediction_text,
    thumbnail,
)
from stages.figures.report_data import Study
from stages.runtime.randomness import generator
from stages.statistics.runs import Run
from stages.statistics.scores import Predictions

PICTURES = 10
SIDE = 128  # pixels that a picture has


def figure(study: Study) -> Figure:
    rows = drawn(study.test, study.seed)
    height = exhibit_height(2 * len(study.runs))
    names = [study.test.classes[study.test.actual[row]] for row in rows]
    right = [sum(run.correct[row] for row in rows) for run in study.runs]
    return Figure(
        title="Test pictures at random",
        caption=f"{len(rows)} test pictures drawn with the study's seed, one a class: the actual "
        "class above, then each run's prediction and how sure it is of it.",
        description=" ".join(
            f"{run.name}: {count} of these {len(rows)} right."
            for run, count in zip(study.runs, right, strict=True)
        ),
        panels=[
            Panel(name, 330, height, partial(_draw, study.runs, study.test.files[row], row))
            for name, row in zip(names, rows, strict=True)
        ],
        header=["picture", "actual", *(run.name for run in study.runs)],
        rows=[
            [study.test.files[row], name, *(prediction_text(run, row) for run in study.runs)]
            for name, row in zip(names, rows, strict=True)
        ],
    )


def drawn(test: Predictions, seed: int) -> list[int]:
    """Positions of one test picture of each of ten classes, in the order of the classes."""
    random = generator(seed, "examples")
    classes = np.unique(test.actual)
    chosen = np.sort(random.permutation(classes)[:PICTURES])
    return [int(random.choice(np.flatnonzero(test.actual == label))) for label in chosen]


def _draw(runs: Sequence[Run], file: str, row: int, canvas: FigureBase) -> None:
    exhibit(canvas, thumbnail(file, SIDE), prediction_lines(runs, row))
