"""An exported network in use: one ONNX file, whose card lies inside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as errors

from stages.errors import StudyError
from stages.exports.onnx_session import session

CARD = "card"  # the key under which the metadata of a file has its card, as JSON
INPUT = "pixels"
UNREADABLE = (errors.Fail, errors.InvalidGraph, errors.InvalidProtobuf, errors.NoSuchFile)


@dataclass(frozen=True)
class Model:
    """A network that answers; its file is all it needs.

    `card` says `network`, `title`, `precision`, `classes` in the order of the probabilities, what
    a picture goes through (`image_size`, `background`, `max_side`, `max_megapixels`), and how sure
    it must be: `thresholds`, by the share of wrong answers that validation pictures then had.
    """

    session: onnxruntime.InferenceSession

    @cached_property
    def card(self) -> dict:
        return json.loads(self.session.get_modelmeta().custom_metadata_map[CARD])

    @property
    def thresholds(self) -> dict[float, float]:
        """By the share of wrong answers, without those that no confidence reaches."""
        found = self.card["thresholds"].items()
        return {float(share): value for share, value in found if value is not None}

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 RGB (n, image_size, image_size, 3) → float32 (n, classes); a row sums to 1."""
        return self.session.run(None, {INPUT: pixels})[0]


def load(file: str | Path, threads: int = 1) -> Model:
    """A model from its file, with so many threads for one batch; 0: one for each core.

    More than one are for whoever has a single batch at a time: `answers` gives each core its own.
    Raises StudyError for a file that is missing, or that this study did not export.
    """
    try:
        ready = session(Path(file), threads)
    except UNREADABLE as error:
        raise StudyError(f"{file} is no network that can be loaded: {error}") from None
    if CARD not in ready.get_modelmeta().custom_metadata_map:
        raise StudyError(f"{file} has no card in it: stages/export.py did not make it")
    return Model(ready)
