"""Near duplicates: pictures whose perceptual hashes, or those of their mirror images, agree."""

from __future__ import annotations

from collections.abc import Iterator

import imagehash
import numpy as np
from PIL import Image, ImageOps
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

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


def groups(
    hashed: np.ndarray, classes: np.ndarray, motifs: np.ndarray, max_distance: int
) -> tuple[np.ndarray, int]:
    """A group number for each picture, and how many near pairs are of two classes.

    A group is what is connected through near pairs, whatever the classes, and through equal
    motifs. Groups are numbered from 0 in the order of their first pictures.
    """
    labels = np.unique(motifs, return_inverse=True)[1]
    crossing = 0
    for first, second in pairs(hashed, max_distance):
        crossing += int(np.count_nonzero(classes[first] != classes[second]))
        edges = coo_array(
            (np.ones(len(first), bool), (labels[first], labels[second])), (len(hashed),) * 2
        )
        labels = connected_components(edges, directed=False)[1][labels]
    _, firsts, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(firsts))[inverse], crossing
