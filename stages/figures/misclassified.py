"""The test pictures that some run misclassifies, the most confident mistakes first."""

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
from stages.figures.drawing import MUTED
from stages.figures.report_data import Study
from stages.figures.text import fitting
from stages.statistics.calibration import confidence
from stages.statistics.runs import Run

SHOWN = 36
SIDE = 128  # pixels that a picture has
PROVENANCE = ("title", "author", "licence", "page_url")
BELOW = 30  # pixels for where it comes from


def figure(study: Study) -> Figure:
    rows = mistaken(study.runs)
    height = exhibit_height(2 * len(study.runs)) + BELOW
    test = study.test
    more = f" The first {SHOWN} of {len(rows)}; the table has all." if len(rows) > SHOWN else ""
    return Figure(
        title="Misclassified test pictures",
        caption="Every test picture that one run at least misclassifies, most confident first, "
        f"with the prediction of each run, its source and licence.{more}",
        description=f"{len(rows)} of {len(test)} test pictures are wrong in one run at least, "
        f"{int(np.sum(~np.any([run.correct for run in study.runs], axis=0)))} in all.",
        panels=[
            Panel(test.classes[test.actual[row]], 330, height, partial(_draw, study, row, height))
            for row in rows[:SHOWN]
        ],
        header=["picture", "actual", *(run.name for run in study.runs), "title", "author",
                "licence", "page"],
        rows=[
            [test.files[row], test.classes[test.actual[row]]]
            + [prediction_text(run, row) for run in study.runs]
            + [study.provenance(test.files[row], key) for key in PROVENANCE]
            for row in rows
        ],
    )  # fmt: skip


def mistaken(runs: Sequence[Run]) -> list[int]:
    """Positions of test pictures that a run misclassifies, the most confident mistake first."""
    sure = np.max([np.where(run.correct, 0, confidence(run.test)) for run in runs], axis=0)
    order = np.argsort(-sure, kind="stable")
    return [int(row) for row in order if sure[row] > 0]


def _draw(study: Study, row: int, height: int, canvas: FigureBase) -> None:
    file = study.test.files[row]
    exhibit(canvas, thumbnail(file, SIDE), prediction_lines(study.runs, row))
    names = [study.provenance(file, key) for key in ("title", "author", "licence")]
    lines = (file.partition("/")[2], ", ".join(dict.fromkeys(name for name in names if name)))
    for line, text in enumerate(lines):
        place = (2 / 330, (BELOW + 4 - 13 * line) / height)
        canvas.text(*place, fitting(text, 326, 9), fontsize=9, color=MUTED, va="top")
