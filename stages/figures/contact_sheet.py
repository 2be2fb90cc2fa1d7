"""Some training pictures of every class, side by side."""

from functools import partial

import numpy as np
from matplotlib.figure import FigureBase

from stages.figures import Figure, Panel
from stages.figures.components import sheet, show, thumbnail
from stages.figures.report_data import Study
from stages.runtime.randomness import generator

COLUMNS, ROWS = 6, 2
TILE, GAP = 50, 4  # pixels
SIDE = 64  # pixels that a picture has
PICTURES = 600  # on the page; of many classes each has fewer


def figure(study: Study) -> Figure:
    predictions = study.runs[0].predictions.of("train")
    rows = 1 if len(predictions.classes) * COLUMNS * ROWS > PICTURES else ROWS
    chosen = {}
    for label, name in enumerate(predictions.classes):
        files = np.sort(predictions.files[predictions.actual == label])
        random = generator(study.seed, "contact sheet", name)
        chosen[name] = np.sort(random.permutation(files)[: COLUMNS * rows]).tolist()
    height = 28 + rows * (TILE + GAP) + 6
    return Figure(
        title="Contact sheet",
        caption=f"Up to {COLUMNS * rows} training pictures of each class, drawn with the study's "
        "seed.",
        description="Small pictures, class by class: " + ", ".join(chosen) + ".",
        panels=[Panel(name, 330, height, partial(_draw, files)) for name, files in chosen.items()],
        header=["class", "pictures"],
        rows=[[name, ", ".join(file.partition("/")[2] for file in files)]
              for name, files in chosen.items()],
    )  # fmt: skip


def _draw(files: list[str], canvas: FigureBase) -> None:
    area = sheet(canvas)
    for index, file in enumerate(files):
        row, column = divmod(index, COLUMNS)
        show(area, thumbnail(file, SIDE), 2 + column * (TILE + GAP), 28 + row * (TILE + GAP), TILE)
