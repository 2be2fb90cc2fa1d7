"""What the frozen blocks make of every picture, in one pass, and where activations are kept.

The pass gives two things: the features, on which the head is trained, and the activations at which
the tuned blocks begin, on which those are, or, where these would not pay, the uint8 pictures
themselves. Each is a folder of `clean.npy` (pictures, 1, …) and `views.npy` (pictures, views, …),
in the order of data/split.csv. Every picture has its views, whatever the split, so one pass serves
every fold and every seed. Activations are float16 of views, which only train, and float32 of
pictures as they are, of which predictions are made.

Features are an output of stage `features`. Activations are large (45 to 50 kB a view) and made
again in minutes: as an output, DVC would miss them after every `dvc pull`. So they lie in the
user's cache, where each clone and experiment finds them under a hash of all that decides them, and
whoever does not find them makes them again.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import filelock
import keras
import numpy as np
import tensorflow as tf

from stages.networks import models
from stages.networks.batch_norm_folding import folded
from stages.networks.flops import multiply_adds
from stages.params import Augment
from stages.pictures import datasets, shards
from stages.pictures.prefetch import Prefetch
from stages.runtime import fingerprints, user_cache
from stages.runtime.progress import progress
from stages.training.checkpoints import fingerprint
from stages.training.devices import Device

BATCH = 32  # views that go through the backbone together: larger ones leave the caches
UNUSED = 14 * 24 * 3600  # seconds after which activations that nobody used are removed

# Of the machine that the arithmetic has in mind, so that it comes out the same on all of them.
MULTIPLY_ADDS_A_SECOND = 2e10
BYTES_A_SECOND = 2e8

ACTIVATIONS, FEATURES = 0, 1  # places in what a Forward returns
Prepare = Callable[[list[str]], np.ndarray]  # files (n) → uint8 (n, views, size, size, 3)
Forward = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # → activations, features
KEPT_AS = {"clean": np.float32, "views": np.float16}  # activations; pixels stay uint8


@dataclass(frozen=True)
class FrozenBackbone:
    """A pretrained backbone, and the pictures and views that are to go through it.

    `files` (data/rgb) are in the order of data/split.csv; `params` has `rgb.background`, `augment`
    and `finetune.blocks`.
    """

    model: str
    files: list[str]
    params: SimpleNamespace
    device: Device

    def write_features(self, folder: Path) -> None:
        """Write the features, and keep the activations of the same pass."""
        with self._kept() as kept:
            if kept.is_dir():
                self._run({FEATURES: folder})
                return
            with _draft(kept) as draft:
                self._run({ACTIVATIONS: draft, FEATURES: folder})

    def activations(self) -> Path:
        """The folder of the activations, made again where they are not there.

        What is built after it has the names that it has without it.
        """
        with self._kept() as kept:
            if not kept.is_dir():
                print("activations are not there: made again", flush=True)
                with _draft(kept) as draft:
                    self._run({ACTIVATIONS: draft})
                keras.utils.clear_session()
            kept.touch()
            return kept

    @contextmanager
    def _kept(self) -> Iterator[Path]:
        """The folder of these activations; other processes wait until the block ends."""
        kept = user_cache.folder() / "activations" / self._key()
        kept.parent.mkdir(parents=True, exist_ok=True)
        _remove_unused(kept.parent)
        with filelock.FileLock(kept.with_suffix(".lock")):
            yield kept

    def _key(self) -> str:
        """A hash of pictures, weights, settings, code, and of the machine that rounds."""
        weights = Path("models", self.model, "pretrained", models.BACKBONE)
        pictures = (np.frombuffer(shards.read(datasets.RGB, file), np.uint8) for file in self.files)
        params, blocks = self.params, self.params.finetune.blocks
        return fingerprint(
            self.files,
            [params.rgb.background, params.augment.model_dump()],
            [self.model, models.tuned_blocks(self.model, blocks)],
            fingerprints.fingerprint(__name__, f"stages.zoo.{self.model}"),
            [self.device.name, processor()],
            np.frombuffer(weights.read_bytes(), np.uint8),
            *pictures,
        )

    def _run(self, folders: Mapping[int, Path]) -> None:
        """Write the activations and features of all pictures, those that have a folder."""
        backbone = models.pretrained(self.model)
        cut = models.cut_at(self.model, backbone, self.params.finetune.blocks)
        kept = cut if worth_keeping(backbone, cut) else backbone.input
        forward = both_outputs(backbone, kept, self.device.xla)
        for name, views, prepare in self._arrays(backbone.input_shape[1]):
            paths = {kind: folder / f"{name}.npy" for kind, folder in folders.items()}
            write(f"{self.model} {name}", paths, self.files, views, prepare, forward)

    def _arrays(self, size: int) -> Iterator[tuple[str, int, Prepare]]:
        """Name of an array, the views of each picture, and what reads these."""
        background, augment = self.params.rgb.background, self.params.augment
        yield "clean", 1, partial(read_clean, size, background)
        yield "views", augment.views, partial(read_views, size, background, augment)


def read_clean(size: int, background: str, files: list[str]) -> np.ndarray:
    return datasets.read_pixels(files, size, background)[:, None]


def read_views(size: int, background: str, augment: Augment, files: list[str]) -> np.ndarray:
    pixels = datasets.read_pixels(files, size, background)
    return datasets.views(pixels, files, augment, background)


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

    def forward(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # Always one shape: another one would be traced and compiled anew.
        padded = np.zeros((BATCH, *pixels.shape[1:]), np.uint8)
        padded[: len(pixels)] = pixels
        return tuple(output.numpy()[: len(pixels)] for output in outputs(tf.constant(padded)))

    return forward


def write(
    label: str,
    paths: Mapping[int, Path],
    files: list[str],
    views: int,
    prepare: Prepare,
    forward: Forward,
) -> None:
    """Run some pictures through the backbone and write the outputs that have a path.

    Activations are kept as KEPT_AS says for the array's name, that of its file.
    """
    arrays: dict[int, np.ndarray] = {}
    step = max(1, BATCH // views)
    prepared = Prefetch((at, prepare(files[at : at + step])) for at in range(0, len(files), step))
    with progress(label, len(files) * views, "view") as advance:
        for start, pixels in prepared:
            flat, end = pixels.reshape(-1, *pixels.shape[2:]), start + len(pixels)
            parts = [forward(flat[i : i + BATCH]) for i in range(0, len(flat), BATCH)]
            for kind, path in paths.items():
                output = np.concatenate([part[kind] for part in parts])
                if kind not in arrays:
                    shape = (len(files), views, *output.shape[1:])
                    arrays[kind] = new_array(path, kept_as(kind, path.stem, output.dtype), shape)
                arrays[kind][start:end] = output.reshape(-1, *arrays[kind].shape[1:])
            advance(len(flat))
    prepared.complain()


def kept_as(kind: int, name: str, dtype: np.dtype) -> np.dtype:
    return np.dtype(KEPT_AS[name]) if kind == ACTIVATIONS and dtype != np.uint8 else dtype


def new_array(path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """An .npy file mapped into memory: a study may be larger than that. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.lib.format.open_memmap(path, "w+", dtype, shape)
    if hasattr(os, "posix_fallocate"):  # else a full disk would kill the process, without a word
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def processor() -> str:
    """What decides how this machine rounds: the instructions that its processor has."""
    try:
        flags = re.search(r"^(?:flags|Features)\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:  # not Linux
        flags = None
    return " ".join(sorted(flags[1].split())) if flags else platform.processor()


@contextmanager
def _draft(folder: Path) -> Iterator[Path]:
    """A folder that gets its name where the block ends well, and is gone where it does not."""
    draft = Path(tempfile.mkdtemp(prefix=".part-", dir=folder.parent))
    try:
        yield draft
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _remove_unused(entries: Path) -> None:
    for path in entries.iterdir():
        try:
            if path.stat().st_mtime < time.time() - UNUSED:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        except FileNotFoundError:  # another process was faster
            continue
