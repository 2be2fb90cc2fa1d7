"""Where the fine-tuned networks look: heat maps on the same pictures, three right, three wrong."""

from collections.abc import Sequence
from functools import partial
from math import ceil

import numpy as np
from matplotlib.figure import FigureBase
from PIL import Image

from stages.figures import Figure, Panel
from stages.figures.components import LINE, prediction_text, sheet, show, thumbnail
from stages.figures.drawing import INK, MUTED, TEST, WRONG
from stages.figures.report_data import Study
from stages.figures.text import fitting
from stages.statistics.runs import Run

EACH = 3  # pictures that are right, and that are wrong
COLUMNS = 3
TILE, BELOW = 104, 34  # pixels: of a heat map, and of the lines below it
SIDE = 160  # pixels that a picture has
HOT = np.array([217, 72, 15])  # RGB: cartoons have any colour, the picture is paled below it


def figure(study: Study) -> Figure:
    runs = [run for run in study.runs if run.phase == "finetune"]
    right, wrong = chosen(runs)
    rows = [*right, *wrong]
    height = 26 + (TILE + BELOW) * ceil((1 + len(runs)) / COLUMNS)
    files, test = study.test.files, study.test
    return Figure(
        title="Where the networks look",
        caption=f"The same test pictures for every fine-tuned network. Right: of the pictures that "
        f"all of them get right, the {EACH} they are most confident of, a class once. Wrong: of "
        f"those that one at least gets wrong, the {EACH} with the least probability for the actual "
        "class. The redder a place, the more it speaks for the class that is named below, from the "
        "least to the most of each map. Convolutional networks: Grad-CAM on the last feature map "
        "(Selvaraju et al. 2017). Transformers: gradient-weighted attention through all layers "
        "(Chefer et al. 2021), as plain attention rollout shows the same places for every class. A "
        "map says where, not why.",
        description=" ".join(
            f"{files[row]} ({'right' if row in right else 'wrong'}): "
            + ", ".join(f"{run.network} looks {where(study.maps[run.model][row])}" for run in runs)
            + "."
            for row in rows
        ),
        panels=[
            Panel(_title(study, row, row in right), 330, height, partial(_draw, study, runs, row))
            for row in rows
        ],
        header=["picture", "actual", *(run.network for run in runs)],
        rows=[
            [files[row], test.classes[test.actual[row]]]
            + [
                f"{prediction_text(run, row)}, looks {where(study.maps[run.model][row])}"
                for run in runs
            ]
            for row in rows
        ],
    )


def chosen(runs: Sequence[Run]) -> tuple[list[int], list[int]]:
    """Positions of the test pictures shown: right by all runs, wrong by one at least."""
    test = runs[0].test
    given = [run.test.probability[np.arange(len(test)), test.actual] for run in runs]
    all_right = np.all([run.correct for run in runs], axis=0)
    surest = np.argsort(-np.mean(given, axis=0), kind="stable")
    right = _one_a_class([row for row in surest if all_right[row]], test.actual)
    wrong = _one_a_class([row for row in surest[::-1] if not all_right[row]], test.actual)
    return right, wrong


def _one_a_class(rows: Sequence[int], actual: np.ndarray) -> list[int]:
    first = {}
    for row in rows:
        first.setdefault(int(actual[row]), int(row))
    return list(first.values())[:EACH]


def where(heat: np.ndarray) -> str:
    """In words, where the weight of a heat map is: "upper left", "at the middle"."""
    heat = heat / max(1, heat.sum())
    down, right = (
        np.sum(heat.sum(axis=other) * np.linspace(0, 1, heat.shape[axis]))
        for axis, other in ((0, 1), (1, 0))
    )
    words = [_third(down, "upper", "lower"), _third(right, "left", "right")]
    return " ".join(word for word in words if word) or "at the middle"


def _third(place: float, first: str, last: str) -> str:
    return first if place < 0.4 else last if place > 0.6 else ""


def overlaid(pixels: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A picture, paled, below its heat map: both uint8, (side, side, 3) and (h, w)."""
    grey = np.asarray(Image.fromarray(pixels).convert("L"), float)[..., None]
    pale = 255 - 0.6 * (255 - grey)
    side = pixels.shape[:2]
    smooth = Image.fromarray(heat).resize(side, Image.Resampling.BICUBIC)
    share = 0.75 * np.asarray(smooth, float)[..., None] / 255
    return np.round(pale * (1 - share) + HOT * share).astype(np.uint8)


def _title(study: Study, row: int, right: bool) -> str:
    return f"{study.test.classes[study.test.actual[row]]}: {'right' if right else 'wrong'}"


def _draw(study: Study, runs: Sequence[Run], row: int, canvas: FigureBase) -> None:
    pixels = thumbnail(study.test.files[row], SIDE)
    tiles = [(pixels, "the picture", "", MUTED)]
    for run in runs:
        prediction = prediction_text(run, row)
        tiles.append((overlaid(pixels, study.maps[run.model][row]), run.network, prediction,
                      TEST if run.correct[row] else WRONG))  # fmt: skip
    area = sheet(canvas)
    for index, (tile, name, prediction, colour) in enumerate(tiles):
        left, top = 2 + (TILE + 6) * (index % COLUMNS), 26 + (TILE + BELOW) * (index // COLUMNS)
        show(area, tile, left, top, TILE)
        for line, (text, style) in enumerate(
            [(name, {"color": INK if prediction else MUTED}), (prediction, {"color": colour})]
        ):
            text = fitting(text, TILE, 9)
            area.text(left, top + TILE + 3 + LINE * line, text, fontsize=9, va="top", **style)
