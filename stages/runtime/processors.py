"""Which processor this machine has: by its instructions it rounds, and two kinds round otherwise.

And of how many cores, which decides how TensorFlow shares out a sum.
"""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def instructions() -> str:
    """All that the processor has, sorted; elsewhere than on Linux its name."""
    return " ".join(sorted(_fact("flags|Features").split())) or platform.processor()


def in_words() -> str:
    """What a person would call the processor."""
    vector = "AVX-512" if "avx512f" in instructions().split() else "no AVX-512"
    name = _fact("model name") or platform.processor() or "a processor without a name"
    return f"{name}, {vector}" if platform.machine() in ("x86_64", "AMD64") else name


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _fact(names: str) -> str:
    """Of the first core, as /proc/cpuinfo says it."""
    try:
        found = re.search(rf"^(?:{names})\s*:(.*)$", CPUINFO.read_text(), re.M)
    except OSError:  # not Linux
        return ""
    return found[1].strip() if found else ""
