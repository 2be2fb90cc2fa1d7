"""What a training needs to go on after it was killed: one file, written after every epoch."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from types import TracebackType

import filelock
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from stages.errors import StudyError
from stages.runtime.unchanged import require_unchanged
from stages.runtime.unfinished import FOLDER

CHUNK = 1 << 24  # bytes

Arrays = dict[str, np.ndarray]


class Checkpoint:
    """The state of one training: `with` it as long as the training and what is made of it takes.

    Only a training with the same key goes on from it. It is removed where the block ends, and
    stays where the block fails or something was edited meanwhile. Raises StudyError then, and
    where another process has it.
    """

    def __init__(self, name: str, key: str) -> None:
        self.path, self.key = FOLDER / f"{name}.safetensors", key
        self.lock = filelock.FileLock(FOLDER / f"{name}.lock", blocking=False)

    def __enter__(self) -> Checkpoint:
        FOLDER.mkdir(exist_ok=True)
        try:
            self.lock.acquire()
        except filelock.Timeout:
            raise StudyError(
                f"another process is at this training ({self.lock.lock_file}): end it, or wait"
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType
    ) -> None:
        try:
            if kind is None:
                require_unchanged()
                self.path.unlink(missing_ok=True)
        finally:
            self.lock.release()

    def save(self, figures: list[dict[str, float]], arrays: Arrays) -> None:
        """Write the figures of all epochs so far and the state after them, in one step."""
        draft = self.path.with_suffix(".part")
        try:
            save_file(arrays, draft, {"key": self.key, "figures": json.dumps(figures)})
        except SafetensorError as error:
            draft.unlink(missing_ok=True)
            raise StudyError(
                f"{self.path} cannot be written ({error}): is the disk full? "
                f"`dvc repro` goes on after epoch {len(figures) - 1}"
            ) from None
        os.replace(draft, self.path)

    def load(self) -> tuple[list[dict[str, float]], Arrays]:
        """What `save` wrote last for this key; nothing where there is no such file."""
        try:
            with safe_open(self.path, "numpy") as file:
                facts = file.metadata() or {}
                if facts.get("key") != self.key:
                    return [], {}
                names = file.keys()  # no dict: it cannot be iterated over
                return json.loads(facts["figures"]), {n: file.get_tensor(n) for n in names}
        except FileNotFoundError:
            return [], {}
        except SafetensorError as error:
            print(f"{self.path} is damaged ({error}): the training starts again", flush=True)
            return [], {}


def fingerprint(*parts: object) -> str:
    """A hash of arrays, by their content, and of what JSON can say, by that.

    Raises TypeError for anything else: what it prints as may be its place in memory.
    """
    digest = hashlib.sha256()
    for part in parts:
        for piece in _pieces(part):
            digest.update(piece)
    return digest.hexdigest()


def _pieces(part: object) -> Iterable[bytes | np.ndarray]:
    if not isinstance(part, np.ndarray):
        yield f"{json.dumps(part)};".encode()
        return
    yield f"{part.dtype}{part.shape};".encode()
    flat = part.reshape(-1)
    step = max(1, CHUNK // part.itemsize)
    for start in range(0, len(flat), step):
        yield np.ascontiguousarray(flat[start : start + step])
