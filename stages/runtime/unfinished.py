"""Where a stage makes what it has not finished, so that it goes on there after it was killed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from stages.runtime.unchanged import require_unchanged

FOLDER = Path(".checkpoints")  # not in DVC's outputs: DVC empties them before a stage runs


@contextmanager
def unfinished(name: str, key: str) -> Iterator[Path]:
    """A folder for what a stage makes, with what a killed one left there for the same key.

    Other processes wait until the block ends. Then it is removed, unless the block fails or
    something was edited meanwhile (StudyError).
    """
    FOLDER.mkdir(exist_ok=True)
    with filelock.FileLock(FOLDER / f"{name}.lock"):
        for other in FOLDER.glob(f"{name}/*"):
            if other.name != key:
                shutil.rmtree(other, ignore_errors=True)
        (FOLDER / name / key).mkdir(parents=True, exist_ok=True)
        yield FOLDER / name / key
        require_unchanged()
        shutil.rmtree(FOLDER / name)
