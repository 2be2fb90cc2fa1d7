"""What is kept once per user, for all studies, and known again by its hash."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import platformdirs


def folder() -> Path:
    """The folder of this user; the variable VITOON_CACHE names another one."""
    return Path(os.environ.get("VITOON_CACHE") or platformdirs.user_cache_dir("vitoon"))


def digest(path: Path, algorithm: str = "sha256") -> str:
    """The hash of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        state = hashlib.new(algorithm)
        while block := file.read(1 << 20):
            state.update(block)
    return state.hexdigest()
