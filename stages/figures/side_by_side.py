"""The figures of a report, drawn by a process for each core: Matplotlib keeps one core busy."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from stages.figures import Figure
from stages.figures.drawing import render
from stages.pictures import fonts
from stages.runtime import processors

Drawn = tuple[list[str], set[str]]  # panels as SVG, and letters that no font has

_figures: dict[str, Figure] = {}  # of this process, which began as a copy of its parent


def render_all(figures: Mapping[str, Figure], folder: Path) -> dict[str, list[str]]:
    """What `render` makes of each, by name: SVG panels, and files in the folder."""
    cores = processors.cores()
    if sys.platform != "linux" or cores == 1:  # to fork is not safe on macOS
        return {name: render(figure, name, folder) for name, figure in figures.items()}
    largest = sorted(figures, key=lambda name: -len(figures[name].panels))
    # Forked, so that nobody has to pickle a panel, which is a function.
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(cores, context, initializer=_take, initargs=(figures,)) as pool:
        asked = {name: pool.submit(_drawn, name, folder) for name in largest}
        drawn = {name: asked[name].result() for name in figures}
    for _, letters in drawn.values():
        fonts.add_missing(letters)
    return {name: panels for name, (panels, _) in drawn.items()}


def _take(figures: Mapping[str, Figure]) -> None:
    _figures.update(figures)


def _drawn(name: str, folder: Path) -> Drawn:
    return render(_figures[name], name, folder), fonts.missing()
