"""What several files of a network say of the same pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import numpy as np

from stages.runtime.processors import cores

Answer = Callable[[np.ndarray], np.ndarray]  # uint8 (n, size, size, 3) → float32 (n, classes)


def threads_of_each(files: int) -> int:
    """How many threads one of so many files gets, where all of them answer at once."""
    return max(1, cores() // files)


def answers(files: Sequence[Answer], pieces: Iterable[np.ndarray]) -> list[np.ndarray]:
    """float32 (n, classes) for each file, of pieces of uint8 (m, size, size, 3).

    The files answer side by side: two threads of one file wait for each other at every operation,
    and took half as much again of the processor.
    """
    with ThreadPoolExecutor(len(files)) as pool:
        said = [list(pool.map(_answer, files, repeat(pixels))) for pixels in pieces]
    return [np.concatenate(each) for each in zip(*said, strict=True)]


def _answer(answer: Answer, pixels: np.ndarray) -> np.ndarray:
    return answer(pixels)
