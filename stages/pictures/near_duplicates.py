"""Near duplicates: pictures whose perceptual hashes, or those of their mirror images, agree."""

from __future__ import annotations

from collections.abc import Iterator

import imagehash
import numpy as np
from PIL import Image, ImageOps

CELLS = 250_000  # pairs compared at once: what stays in the processor's cache
PAIRS = 1_000_000  # found pairs handed on at once


def hashes(picture: Image.Image) -> tuple[int, int]:
    """The 64-bit pHash of a picture and of its mirror image."""
    plain, mirrored = (str(imagehash.phash(side)) for side in (picture, ImageOps.mirror(picture)))
    return int(plain, 16), int(mirrored, 16)


def pairs(hashed: np.ndarray, max_distance: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Numbers of the near pictures, the smaller first, some pairs at a time.

    Two are near where their hashes (uint64, n × 2), or one's and the mirrored other's, differ in
    at most `max_distance` bits. Each pair is compared, in blocks: 100,000 pictures take half a
    minute, and no more memory than 10,000.
    """
    plain, mirrored = hashed.T.copy()
    firsts, seconds, start = [], [], 0
    while start < len(hashed):
        rows = slice(start, start + max(1, CELLS // (len(hashed) - start)))
        distance = np.bitwise_count(plain[rows, None] ^ plain[None, start:])
        for one, other in ((plain, mirrored), (mirrored, plain)):
            across = np.bitwise_count(one[rows, None] ^ other[None, start:])
            np.minimum(distance, across, out=distance)
        first, second = np.nonzero(distance <= max_distance)
        firsts.append(first[first < second] + start)
        seconds.append(second[first < second] + start)
        start = rows.stop
        if start >= len(hashed) or sum(map(len, firsts)) > PAIRS:
            yield np.concatenate(firsts), np.concatenate(seconds)
            firsts, seconds = [], []
