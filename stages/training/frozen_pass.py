"""One pass of pictures and views through a frozen backbone, piece by piece.

A piece is some pictures whose views fill about a batch, and what comes of it a function of them
alone: so pieces may be computed by any process, in any order, and again after a kill.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from stages.compute.engines import Folder, Steps
from stages.networks import models
from stages.networks.batch_norm_folding import folded
from stages.networks.flops import multiply_adds
from stages.params import Augment
from stages.pictures import datasets

BATCH = 32  # views that go through the backbone together: larger ones leave the caches
CLEAN, VIEWS = "clean", "views"  # pictures as they are, and their varied views

# Of the machine that the arithmetic has in mind, so that it comes out the same on all of them.
MULTIPLY_ADDS_A_SECOND = 2e10
BYTES_A_SECOND = 2e8

ACTIVATIONS, FEATURES = "activations", "features"
KEPT_AS = {CLEAN: np.float32, VIEWS: np.float16}  # activations; pixels stay uint8

Forward = Callable[[np.ndarray], dict[str, np.ndarray]]  # uint8 (n, size, size, 3) → (n, …) by kind


class Place(NamedTuple):
    """Which rows of which array a piece gives, and of how many views."""

    array: str
    start: int
    end: int
    views: int


class Piece(NamedTuple):
    """Pictures of data/rgb: names and content of their files."""

    array: str
    files: Sequence[str]
    pictures: Sequence[bytes]


@dataclass(frozen=True)
class FrozenPass:
    """What decides the outputs of a piece. It may travel, as it holds no network."""

    model: str
    blocks: object  # finetune.blocks
    background: str
    augment: Augment
    xla: bool
    kinds: Sequence[str]  # ACTIVATIONS, FEATURES or both

    @property
    def arrays(self) -> dict[str, int]:
        """Each array's views of a picture."""
        return {CLEAN: 1, VIEWS: self.augment.views}

    def names(self, array: str) -> list[str]:
        """Of the files that are written."""
        return [f"{kind}/{array}" for kind in self.kinds]

    def places(self, done: Mapping[str, int], count: int) -> Iterator[Place]:
        """Where there is something to do, with so many of `count` rows of each array done."""
        for array, views in self.arrays.items():
            step = max(1, BATCH // views)
            for start in range(done[array], count, step):
                end = min(start + step, count)
                yield Place(array, start, end, (end - start) * views)

    def steps(self, folder: Folder) -> Steps:
        """Piece → uint8 (n, views, size, size, 3) → outputs (n, views, …) by their files' names."""
        with folder() as pretrained:
            backbone = models.load_backbone(pretrained)
        cut = models.cut_at(self.model, backbone, self.blocks)
        kept = cut if worth_keeping(backbone, cut) else backbone.input
        forward = both_outputs(backbone, kept, self.xla)
        return partial(self._prepare, backbone.input_shape[1]), partial(self._compute, forward)

    def _prepare(self, size: int, piece: Piece) -> tuple[str, np.ndarray]:
        pixels = datasets.squares(piece.pictures, size, self.background)
        if piece.array == CLEAN:
            return piece.array, pixels[:, None]
        return piece.array, datasets.views(pixels, piece.files, self.augment, self.background)

    def _compute(self, forward: Forward, prepared: tuple[str, np.ndarray]) -> dict[str, np.ndarray]:
        array, pixels = prepared
        flat = pixels.reshape(-1, *pixels.shape[2:])
        parts = [forward(flat[at : at + BATCH]) for at in range(0, len(flat), BATCH)]
        found = {}
        for kind in self.kinds:
            output = np.concatenate([part[kind] for part in parts])
            output = output.reshape(*pixels.shape[:2], *output.shape[1:])
            dtype = kept_as(kind, array, output.dtype)
            found[f"{kind}/{array}"] = output.astype(dtype, copy=False)
        return found


def worth_keeping(backbone: keras.Model, cut: keras.KerasTensor) -> bool:
    """Whether to read the activations takes less time than to make them again from the pixels."""
    if cut is backbone.input:
        return False
    more = 2 * np.prod(cut.shape[1:]) - np.prod(backbone.input_shape[1:])  # bytes of a view
    again = multiply_adds(keras.Model(backbone.input, cut))
    return bool(again / MULTIPLY_ADDS_A_SECOND > more / BYTES_A_SECOND)


def both_outputs(backbone: keras.Model, cut: keras.KerasTensor, xla: bool) -> Forward:
    """uint8 (n, size, size, 3) → activations at the cut, and features."""
    whole = cut is backbone.input
    network = folded(keras.Model(backbone.input, [cut, backbone.output]))

    @partial(tf.function, jit_compile=xla)
    def outputs(pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        activations, features = network(datasets.scaled(pixels), training=False)
        return pixels if whole else activations, features

    def forward(pixels: np.ndarray) -> dict[str, np.ndarray]:
        # Always one shape: another one would be traced and compiled anew.
        padded = np.zeros((BATCH, *pixels.shape[1:]), np.uint8)
        padded[: len(pixels)] = pixels
        activations, features = outputs(tf.constant(padded))
        found = {ACTIVATIONS: activations, FEATURES: features}
        return {kind: output.numpy()[: len(pixels)] for kind, output in found.items()}

    return forward


def kept_as(kind: str, array: str, dtype: np.dtype) -> np.dtype:
    return np.dtype(KEPT_AS[array]) if kind == ACTIVATIONS and dtype != np.uint8 else dtype
