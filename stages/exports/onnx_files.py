"""ONNX models as files with a card in them, and what onnxruntime makes of pixels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from stages.exports.answers import Answer
from stages.exports.onnx_session import session

CARD = "card"  # the key of the metadata under which a file has it, as JSON


def write(model: onnx.ModelProto, card: Mapping, file: Path) -> None:
    """One file that needs nothing beside it: graph, weights and card."""
    helper.set_model_props(model, {CARD: json.dumps(card, ensure_ascii=False)})
    onnx.save(model, file)


def answering(file: Path, threads: int) -> Answer:
    ready = session(file, threads)

    def answer(pixels: np.ndarray) -> np.ndarray:
        return ready.run(None, {"pixels": pixels})[0]

    return answer
