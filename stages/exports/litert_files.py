"""LiteRT models as files with a card in them, and what TensorFlow's interpreter makes of pixels."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import numpy as np
import tensorflow as tf

from stages.exports.answers import Answer
from stages.runtime.tensorflow_messages import held_back

CARD = "card.json"  # in the ZIP archive at the end of a file
THEIR_ADVICE = "(?s).*tf.lite.Interpreter is deprecated"  # for the package that users take


def write(model: bytes, card: Mapping, file: Path) -> None:
    """One file that needs nothing beside it.

    The card is an associated file, as LiteRT's metadata has them: a ZIP archive after the model,
    which interpreters pass over and every ZIP tool reads. https://tensorflow.org/lite/convert/metadata
    """
    file.write_bytes(model)
    with ZipFile(file, "a") as archive:  # ZipInfo dates it 1980: the same bytes each time
        archive.writestr(ZipInfo(CARD), json.dumps(card, ensure_ascii=False))


def answering(file: Path, threads: int) -> Answer:
    """Picture by picture: a file takes one at a time."""
    with held_back(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", THEIR_ADVICE)
        interpreter = tf.lite.Interpreter(str(file), num_threads=threads)
        interpreter.allocate_tensors()
    run = interpreter.get_signature_runner()

    def answer(pixels: np.ndarray) -> np.ndarray:
        return np.concatenate([run(pixels=each[None])["probabilities"] for each in pixels])

    return answer
