"""Random numbers that belong to an address, so that nothing depends on what was drawn before."""

import zlib

import numpy as np


def generator(seed: int, *address: int | str) -> np.random.Generator:
    """Random numbers that belong to an address (a file, an epoch, a step), not to a turn.

    Adding a picture or skipping an epoch leaves the numbers of every other address as they were.
    """
    words = [zlib.crc32(part.encode()) if isinstance(part, str) else part for part in address]
    return np.random.default_rng([seed, *words])
