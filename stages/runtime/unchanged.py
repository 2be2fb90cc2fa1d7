"""Nothing that decides a result may change while a stage runs.

DVC reads a stage's parameters when its command has ended (its issue 11058), so an edit meanwhile
would be recorded as if it had made the result. What `source_code` wrote is compared with the code
as the stage starts, and again, with the parameters, before it ends.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from stages import params
from stages.errors import StudyError
from stages.runtime.fingerprints import LOCK, Pin, code, locked
from stages.tables import read_table

FOLDER = Path("data/source_code")
STAGE = "DVC_STAGE"  # DVC sets it for the command of a stage; started by hand, nothing is recorded

_recorded: dict[str, str] = {}  # of the stage that this process runs


@contextmanager
def watched(stage: str, words: Sequence[str]) -> Iterator[None]:
    """Raises StudyError where what decides the result changes before or within the block."""
    global _recorded
    _recorded = recorded(stage, words) if STAGE in os.environ else {}
    require_recorded_code()
    yield
    require_unchanged()


def recorded(stage: str, words: Sequence[str]) -> dict[str, str]:
    """What stage `source_code` wrote for a stage with its words, such as a network's name."""
    tables = [FOLDER / f"{stage}.csv", *(FOLDER / "networks" / f"{word}.csv" for word in words)]
    found = [read_table(table) for table in tables if table.is_file()]
    return {row["name"]: row["fingerprint"] for rows in found for row in rows}


def require_unchanged() -> None:
    """Raises StudyError where an edit made while a stage ran would be recorded with its result."""
    if STAGE in os.environ and (changed := params.changed()):
        raise StudyError(
            f"params.yaml: {changed[0]} was changed while this stage ran, so its result is not "
            "recorded: change it back, or run `dvc repro` with the new value"
        )
    require_recorded_code()


def require_recorded_code() -> None:
    """Raises StudyError where the code or a package is another one than `source_code` saw."""
    pins = locked(LOCK.read_text(encoding="utf-8")) if _recorded else {}
    for name, fingerprint in _recorded.items():
        if name in pins:
            _require_package(name, pins[name], fingerprint)
        elif not Path(name).is_file() or code(Path(name)).sha256 != fingerprint:
            raise StudyError(f"{name} was changed after `dvc repro` began: run it again")


def _require_package(name: str, pin: Pin, fingerprint: str) -> None:
    if pin.version != fingerprint:
        raise StudyError(
            f"{LOCK}: {name} was pinned anew after `dvc repro` began: run `make repro`"
        )
    installed = metadata.version(name)
    if not re.search(rf"(?<![^, ]){re.escape(installed)}(?![^, ])", pin.version):
        raise StudyError(
            f"{name} {installed} is installed, {LOCK} pins {pin.version}: `make repro` installs "
            "what is pinned"
        )
