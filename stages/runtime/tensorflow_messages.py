"""What TensorFlow says while it starts: nothing, unless it fails or was asked to speak.

TF_CPP_MIN_LOG_LEVEL alone does not do: two libraries write to stderr as they are loaded, before
they read it. So stderr is held back for as long as `import tensorflow` takes, whoever imports it.
"""

from __future__ import annotations

import faulthandler
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path

LEVEL = "TF_CPP_MIN_LOG_LEVEL"  # of what TensorFlow writes: 0 all, 1 no info, 2 errors, 3 none
QUIET = ("2", "3")


def quieten() -> None:
    """Call it before TensorFlow is imported. A level that the user has set stays.

    TensorFlow's errors while it runs come as exceptions at any level. On a machine without an
    NVIDIA GPU what else it calls an error is that there is no CUDA.
    """
    level = os.environ.setdefault(LEVEL, "2" if has_nvidia_gpu() else "3")
    if level in QUIET and "tensorflow" not in sys.modules and sys.stderr is not None:
        sys.meta_path.insert(0, _Finder())


def has_nvidia_gpu() -> bool:
    """Whether the machine has one by its driver's files (Linux, WSL), usable or not."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or shutil.which("nvidia-smi") is not None


class _Finder:
    """Meets the first import of TensorFlow, finds it as Python would, and steps aside."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec and spec.loader:
            spec.loader.exec_module = held_back()(spec.loader.exec_module)
        return spec


@contextmanager
def held_back() -> Iterator[None]:
    """What is written to stderr in the block, by C++ too, shows where the block raises.

    Where the process dies in it, the place does: TensorFlow aborts on processors too old for it.
    """
    import tempfile  # here: every process imports this module, few import TensorFlow

    shown = os.dup(2)
    watches = not faulthandler.is_enabled()
    if watches:
        faulthandler.enable(shown)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except Exception:
            kept.seek(0)
            os.write(shown, kept.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(shown, 2)
            if watches:
                faulthandler.disable()
            os.close(shown)
