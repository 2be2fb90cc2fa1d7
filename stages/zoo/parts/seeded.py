"""Values for a network that nobody published: random, but always the same ones."""

import math
import zlib

import keras
import numpy as np


def seeded_values(model: keras.Model) -> dict[str, np.ndarray]:
    """A value for each variable, a function of its path and shape alone."""
    return {weight.path: _value(weight.path, weight.shape) for weight in model.weights}


def _value(path: str, shape: tuple[int, ...]) -> np.ndarray:
    name = path.rpartition("/")[2]
    if name in ("gamma", "moving_variance"):
        return np.ones(shape, np.float32)
    if name in ("beta", "bias", "moving_mean"):
        return np.zeros(shape, np.float32)
    draw = np.random.default_rng(zlib.crc32(path.encode())).standard_normal(shape, np.float32)
    return draw * np.float32(math.sqrt(2 / math.prod(shape[:-1])))  # He et al. 2015
