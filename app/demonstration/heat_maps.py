"""Where the fine-tuned networks look, from a process in which TensorFlow starts meanwhile.

The page answers before that: an exported network needs no TensorFlow, and gives no gradients.
"""

from __future__ import annotations

import asyncio
import io
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from app.prediction.choice import MODELS
from stages.errors import StudyError
from stages.pictures.isolation import end_with_parent

Explainer = Callable[[np.ndarray], np.ndarray]

_explainers: dict[str, Explainer] = {}  # of the process that draws, by network


class HeatMap(NamedTuple):
    """`png` is the picture below its map; `where` says in words what the map shows."""

    png: bytes
    where: str


class NoHeatMapError(Exception):
    """The text says why, to a person."""


class HeatMaps:
    """Use it as a context manager; `start` lets the process begin before it is needed."""

    def __init__(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._process = ProcessPoolExecutor(1, spawn, initializer=_begin)

    def __enter__(self) -> HeatMaps:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.shutdown(wait=False, cancel_futures=True)

    def start(self, network: str) -> None:
        if _folder(network).is_dir():
            self._process.submit(_explainer, network)

    async def draw(self, network: str, pixels: np.ndarray, shown: np.ndarray) -> HeatMap:
        """Both uint8 RGB squares of one picture: as the network takes it, and as it is shown.

        Raises NoHeatMapError where there is none to be had.
        """
        if not _folder(network).is_dir():
            raise NoHeatMapError(
                f"No heat map: {_folder(network).as_posix()} is not here (`dvc pull` brings it)."
            )
        try:
            job = self._process.submit(_drawn, network, pixels, shown)
            return await asyncio.wrap_future(job)
        except BrokenProcessPool:
            raise NoHeatMapError("No heat map: the process that draws it has ended.") from None
        except Exception as error:  # a map is an extra, whose failure costs no answer
            raise NoHeatMapError(f"No heat map: {error}.") from error


def _folder(network: str) -> Path:
    return MODELS / network / "finetune"


# ---- in the process ----------------------------------------------------------------------------


def _begin() -> None:
    end_with_parent()
    os.nice(10)  # answers come first, while TensorFlow starts too


def _explainer(network: str) -> None:
    """Load the network where it is not, and run it once: its graph is made then."""
    from stages.networks import heat_maps, models  # TensorFlow takes seconds
    from stages.pictures.datasets import scaled

    if network in _explainers:
        return
    trained, card = models.load_trained(_folder(network))
    side = card["image_size"]
    explain = heat_maps.explainer(trained)

    def levels(pixels: np.ndarray) -> np.ndarray:
        if pixels.shape[0] != side:
            raise StudyError(f"{_folder(network).as_posix()} is not the network that was exported")
        return heat_maps.levels(explain(scaled(pixels[None])).numpy())[0]

    levels(np.zeros((side, side, 3), np.uint8))
    _explainers[network] = levels


def _drawn(network: str, pixels: np.ndarray, shown: np.ndarray) -> HeatMap:
    from stages.figures.heat_maps import overlaid, where  # Matplotlib takes a second

    _explainer(network)
    heat = _explainers[network](pixels)
    return HeatMap(png(overlaid(shown, heat)), where(heat))


def png(pixels: np.ndarray) -> bytes:
    """uint8 RGB (h, w, 3) as a file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()
