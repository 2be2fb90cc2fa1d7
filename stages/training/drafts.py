"""Arrays on their way to a disk: what was written before a kill stays, and it is known how far."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np

from stages.tables import write_json

SECONDS = 5  # from record to record: what a kill costs, about
RECORD = "written.json"


class Draft:
    """A folder of .npy files that are filled from their start on, while its block lasts.

    What the record says is written is on the disk, so that a power cut does no more harm than a
    kill. Whoever uses a draft sees to it that no other process has it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written: dict[str, int] = {}  # rows, by the name of the file
        self.files: dict[str, BinaryIO] = {}
        self.recorder = ThreadPoolExecutor(1)
        self.recording: Future | None = None
        self.recorded = time.monotonic()

    def __enter__(self) -> Draft:
        self.folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError, ValueError):  # none yet, or damaged
            self.written = json.loads((self.folder / RECORD).read_text(encoding="utf-8"))
        return self

    def __exit__(self, *_: object) -> None:
        self.recorder.shutdown()
        for file in self.files.values():
            file.flush()
        self._record(self.written)
        for file in self.files.values():
            file.close()

    def rows(self, *names: str) -> int:
        """How many rows all of these have."""
        there = (name in self.written and self._path(name).is_file() for name in names)
        return min(self.written[name] for name in names) if all(there) else 0

    def put(self, name: str, start: int, rows: np.ndarray, count: int) -> None:
        """Write some rows of an array that will have `count` of them. Raises OSError.

        Not through a map of the file, whose pages would count as this process's memory.
        """
        if name not in self.files:
            path = self._path(name)
            if not self.rows(name):
                new_array(path, rows.dtype, (count, *rows.shape[1:]))
            self.files[name] = path.open("r+b")
        file = self.files[name]
        file.seek(start * rows[0].nbytes - count * rows[0].nbytes, os.SEEK_END)
        file.write(rows.tobytes())
        self.written[name] = start + len(rows)
        if time.monotonic() - self.recorded > SECONDS:
            self._record_beside()

    def _record_beside(self) -> None:
        """In a thread, as a disk takes its time; what it raised is raised by the next one."""
        if self.recording is None or self.recording.done():
            if self.recording:
                self.recording.result()
            for file in self.files.values():
                file.flush()
            self.recording = self.recorder.submit(self._record, dict(self.written))
            self.recorded = time.monotonic()

    def _record(self, written: dict[str, int]) -> None:
        for file in list(self.files.values()):
            os.fsync(file.fileno())
        write_json(self.folder / RECORD, written)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npy"


def new_array(path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    """An .npy file of zeros that has its place on the disk. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.lib.format.open_memmap(path, "w+", dtype, shape)
    if hasattr(os, "posix_fallocate"):  # a full disk is told now, and not after hours
        try:
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError:
            path.unlink()  # what it took is free again
            raise
