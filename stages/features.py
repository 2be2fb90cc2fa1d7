"""Stage 5: what the frozen backbone makes of every picture and of every varied view, once.

A single pass gives two things: the features, on which the head is trained, and the activations at
which the tuned blocks begin, on which those are: float16, or, where these would not pay, the uint8
views themselves. Each is a folder of `clean.npy` (pictures, 1, …), every picture in the order of
data/split.csv, and `views.npy` (training pictures, views, …).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from stages import zoo
from stages.networks import models
from stages.networks.batch_norm_folding import folded
from stages.networks.flops import multiply_adds
from stages.params import Augment, load
from stages.pictures import datasets
from stages.pictures.prefetch import Prefetch
from stages.runtime.program import run
from stages.runtime.progress import progress
from stages.training import devices
from stages.training.determinism import make_reproducible

BATCH = 32  # views that go through the backbone together: larger ones leave the caches

# Of the machine that the arithmetic has in mind, so that it comes out the same on all of them.
MULTIPLY_ADDS_A_SECOND = 2e10
BYTES_A_SECOND = 2e8

Prepare = Callable[[list[str]], np.ndarray]  # files (n) → uint8 (n, views, size, size, 3)
Forward = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # → activations, features


def main(model: str) -> str:
    params = load("seed", "device", "rgb.background", "augment", "finetune.blocks")
    listing = datasets.read_listing()
    make_reproducible(params.seed)
    device = devices.choose(params.device, zoo.lookup(model).ENTRY.family)
    backbone = models.pretrained(model)
    cut = models.cut_at(model, backbone, params.finetune.blocks)
    kept = cut if worth_keeping(backbone, cut) else backbone.input
    forward = both_outputs(backbone, kept, device.xla)

    size, background = backbone.input_shape[1], params.rgb.background
    varied = partial(read_views, size, background, params.augment, params.seed)
    training = [listing.files[row] for row in listing.rows("train")]
    write("clean", model, listing.files, 1, partial(read_clean, size, background), forward)
    write("views", model, training, params.augment.views, varied, forward)
    what = "pixels" if kept is backbone.input else "activations"
    count = len(training) * params.augment.views
    return f"{len(listing.files):,} pictures and {count:,} views; finetune gets their {what}"


def read_clean(size: int, background: str, files: list[str]) -> np.ndarray:
    return datasets.read_pixels(files, size, background)[:, None]


def read_views(
    size: int, background: str, augment: Augment, seed: int, files: list[str]
) -> np.ndarray:
    pixels = datasets.read_pixels(files, size, background)
    return datasets.views(pixels, files, augment, background, seed)


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
        return pixels if whole else tf.cast(activations, tf.float16), features

    def forward(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # Always one shape: another one would be traced and compiled anew.
        padded = np.zeros((BATCH, *pixels.shape[1:]), np.uint8)
        padded[: len(pixels)] = pixels
        return tuple(output.numpy()[: len(pixels)] for output in outputs(tf.constant(padded)))

    return forward


def write(
    name: str, model: str, files: list[str], views: int, prepare: Prepare, forward: Forward
) -> None:
    """Run some pictures through the backbone and write `<name>.npy` of both folders."""
    arrays: list[np.ndarray] = []
    step = max(1, BATCH // views)
    prepared = Prefetch((at, prepare(files[at : at + step])) for at in range(0, len(files), step))
    with progress(f"features {model}, {name}", len(files) * views, "view") as advance:
        for start, pixels in prepared:
            flat = pixels.reshape(-1, *pixels.shape[2:])
            parts = [forward(flat[i : i + BATCH]) for i in range(0, len(flat), BATCH)]
            for kind, outputs in enumerate(zip(*parts, strict=True)):
                output = np.concatenate(outputs)
                if len(arrays) == kind:
                    shape = (len(files), views, *output.shape[1:])
                    arrays.append(new_array(model, kind, name, output.dtype, shape))
                count = len(pixels)
                arrays[kind][start : start + count] = output.reshape(count, *arrays[kind].shape[1:])
            advance(len(flat))
    prepared.complain()


def new_array(model: str, kind: int, name: str, dtype: np.dtype, shape: tuple) -> np.ndarray:
    """An .npy file of this shape, mapped into memory: a study may be larger than the memory."""
    folder = Path("models", model, ("activations", "features")[kind])
    folder.mkdir(parents=True, exist_ok=True)
    return np.lib.format.open_memmap(folder / f"{name}.npy", "w+", dtype, shape)


if __name__ == "__main__":
    run(main)
