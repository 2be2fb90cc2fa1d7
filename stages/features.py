"""Stage 5: what the frozen backbone makes of every picture and of every varied view, once.

A single pass gives two things: the features, on which the head is trained, and the activations at
which the tuned blocks begin (float16, or the uint8 views themselves where all blocks are tuned),
on which those are. Each is a folder of `clean.npy` (pictures, 1, …), every picture in the order of
data/split.csv, and `views.npy` (training pictures, views, …).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from stages import datasets, models
from stages.determinism import make_reproducible
from stages.errors import run
from stages.params import load

BATCH = 32  # views that go through the backbone together: larger ones leave the caches

Prepare = Callable[[np.ndarray], np.ndarray]  # rows (n,) → uint8 (n, views, size, size, 3)
Forward = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # → activations, features


def main(model: str) -> None:
    params = load("seed", "rgb.background", "augment", "finetune.blocks")
    listing = datasets.read_listing()
    make_reproducible(params.seed)
    backbone = models.pretrained(model)
    forward = both_outputs(model, backbone, params.finetune.blocks)
    background = params.rgb.background
    pixels = datasets.read_pixels(listing.files, backbone.input_shape[1], background)

    def varied(rows: np.ndarray) -> np.ndarray:
        files = [listing.files[row] for row in rows]
        return datasets.views(pixels[rows], files, params.augment, background, params.seed)

    write("clean", model, np.arange(len(pixels)), 1, lambda rows: pixels[rows, None], forward)
    write("views", model, listing.rows("train"), params.augment.views, varied, forward)


def both_outputs(name: str, backbone: keras.Model, blocks: object) -> Forward:
    """uint8 (n, size, size, 3) → activations where the tuned blocks begin, and features."""
    cut = models.cut_at(name, backbone, blocks)
    whole = cut is backbone.input
    network = keras.Model(backbone.input, [cut, backbone.output])

    @tf.function
    def outputs(pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        activations, features = network(tf.cast(pixels, tf.float32) / 127.5 - 1, training=False)
        return pixels if whole else tf.cast(activations, tf.float16), features

    def forward(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # Always one shape: another one would be traced and compiled anew.
        padded = np.zeros((BATCH, *pixels.shape[1:]), np.uint8)
        padded[: len(pixels)] = pixels
        return tuple(output.numpy()[: len(pixels)] for output in outputs(tf.constant(padded)))

    return forward


def write(
    name: str, model: str, rows: np.ndarray, views: int, prepare: Prepare, forward: Forward
) -> None:
    """Run some pictures through the backbone and write `<name>.npy` of both folders."""
    arrays: list[np.ndarray] = []
    with tqdm(total=len(rows) * views, desc=f"{model} {name}", unit="view") as bar:
        for start, pixels in prepared(rows, max(1, BATCH // views), prepare):
            flat = pixels.reshape(-1, *pixels.shape[2:])
            parts = [forward(flat[i : i + BATCH]) for i in range(0, len(flat), BATCH)]
            for kind, outputs in enumerate(zip(*parts, strict=True)):
                output = np.concatenate(outputs)
                if len(arrays) == kind:
                    shape = (len(rows), views, *output.shape[1:])
                    arrays.append(new_array(model, kind, name, output.dtype, shape))
                count = len(pixels)
                arrays[kind][start : start + count] = output.reshape(count, *arrays[kind].shape[1:])
            bar.update(len(flat))


def new_array(model: str, kind: int, name: str, dtype: np.dtype, shape: tuple) -> np.ndarray:
    """An .npy file of this shape, mapped into memory: a study may be larger than the memory."""
    folder = Path("models", model, ("activations", "features")[kind])
    folder.mkdir(parents=True, exist_ok=True)
    return np.lib.format.open_memmap(folder / f"{name}.npy", "w+", dtype, shape)


def prepared(rows: np.ndarray, step: int, prepare: Prepare) -> Iterator[tuple[int, np.ndarray]]:
    """Pictures of `step` rows at a time, the next ones made while these are used."""
    starts = range(0, len(rows), step)
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(prepare, rows[:step])
        for start in starts:
            pixels = coming.result()
            coming = ahead.submit(prepare, rows[start + step : start + 2 * step])
            yield start, pixels


if __name__ == "__main__":
    run(main)
