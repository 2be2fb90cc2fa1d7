"""Keras imported without what it would import only because it is installed.

Matplotlib, scikit-learn (with SciPy), pandas and OpenCV serve functions of Keras that no stage
calls, and took half of a start's time (docs/decisions.md). While Keras is imported, they are as if
not installed, for which it is made; who imports them before or after that gets them.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder

STARTED = {"keras", "tensorflow"}  # either imports the other
NOT_NEEDED = {"cv2", "matplotlib", "pandas", "scipy", "sklearn"}


def hasten() -> None:
    """Call it before Keras or TensorFlow is imported."""
    if not STARTED & sys.modules.keys():
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Finds them as Python would. It stays: TensorFlow asks where Keras is before it imports it."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name not in STARTED:
            return None
        spec = PathFinder.find_spec(name)
        if spec and spec.loader:
            spec.loader.exec_module = _alone()(spec.loader.exec_module)
        return spec


class _NotNeeded:
    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name in NOT_NEEDED:
            raise ModuleNotFoundError(f"No module named '{name}' while Keras starts", name=name)


@contextmanager
def _alone() -> Iterator[None]:
    """Without what is not needed, and without looks for garbage, of which an import makes none."""
    hidden, collects = _NotNeeded(), gc.isenabled()
    sys.meta_path.insert(0, hidden)
    gc.disable()
    try:
        yield
    finally:
        sys.meta_path.remove(hidden)
        gc.freeze()
        if collects:
            gc.enable()
