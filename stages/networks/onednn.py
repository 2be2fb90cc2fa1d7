"""Whether TensorFlow works with oneDNN, which it decides as it is imported.

It does so by itself on processors with AVX-512 VNNI or more. On others convolutional networks are
half as fast again with it, and transformers, which XLA compiles, slower (docs/decisions.md). So a
stage that runs for a network turns it on for the one kind alone.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

SETTING = "TF_ENABLE_ONEDNN_OPTS"  # 1 or 0; what the user has set stays
ZOO = Path(__file__).parents[1] / "zoo"


def choose() -> None:
    """Call it before TensorFlow is imported, in `python -m stages.<stage> <network> …`."""
    if SETTING not in os.environ and _family(sys.argv[1:]) == "cnn":
        os.environ[SETTING] = "1"


def _family(words: list[str]) -> str | None:
    """Of the network that is named first, as in dvc.yaml; None where none is."""
    if not words or not words[0].isidentifier() or not (ZOO / f"{words[0]}.py").is_file():
        return None
    from stages import zoo  # here: every process imports this module, few have a network

    return zoo.lookup(words[0]).ENTRY.family
