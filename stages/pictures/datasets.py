"""Pictures as arrays for the networks, and their varied views."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import cos, pi, sin
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from stages.params import Augment
from stages.pictures import images, shards
from stages.pictures.prefetch import Prefetch
from stages.runtime.processors import cores
from stages.runtime.randomness import generator
from stages.tables import read_table

RGB = Path("data/rgb")
SPLITS = ("train", "validation", "test")
VIEWS = 0  # the seed of views: features do not depend on the study's, and serve every seed


@dataclass(frozen=True)
class Listing:
    """data/split.csv as columns; every array of a stage has its rows in this order.

    `labels` (int64) are positions in `classes`, which are sorted by name. `folds` (int64) are those
    of cross-fitting: 0 holds the test pictures, 1 those of validation.
    """

    files: list[str]
    groups: list[str]
    splits: np.ndarray
    folds: np.ndarray
    classes: list[str]
    labels: np.ndarray

    def rows(self, split: str) -> np.ndarray:
        """Positions (int64) of the pictures of one split."""
        return np.flatnonzero(self.splits == split)

    @property
    def fold_count(self) -> int:
        return int(self.folds.max()) + 1

    def testing(self, fold: int) -> Listing:
        """The split that tests a fold: the next one validates, after the last the first."""
        validation = (fold + 1) % self.fold_count
        parts = [self.folds == fold, self.folds == validation]
        return replace(self, splits=np.select(parts, ["test", "validation"], "train"))


def read_listing(path: str | Path = "data/split.csv") -> Listing:
    """The pictures of the study with their class and split. Raises StudyError without the file."""
    table = read_table(path)
    classes = sorted({row["class"] for row in table})
    return Listing(
        files=[row["file"] for row in table],
        groups=[row["group"] for row in table],
        splits=np.array([row["split"] for row in table]),
        folds=np.array([int(row["fold"]) for row in table]),
        classes=classes,
        labels=np.array([classes.index(row["class"]) for row in table]),
    )


def kept_files() -> list[str]:
    """The pictures that `to_rgb` kept, sorted: those of data/split.csv, which need no split."""
    table = read_table(RGB / "manifest.csv")
    return sorted(row["file"] for row in table if row["status"] == "kept")


def read_pixels(files: Sequence[str], size: int, background: str) -> np.ndarray:
    """Pictures of data/rgb fitted into squares: uint8 (n, size, size, 3), on all cores."""
    return squares(content(files), size, background)


def content(files: Sequence[str]) -> list[bytes]:
    """What is in files of data/rgb."""
    return [shards.read(RGB, file) for file in files]


def digests(files: Sequence[str]) -> list[str]:
    """SHA-256 of files of data/rgb, in hexadecimal digits."""
    return [hashlib.sha256(shards.read(RGB, file)).hexdigest() for file in files]


def squares(pictures: Sequence[bytes], size: int, background: str) -> np.ndarray:
    """Pictures as files of data/rgb hold them, fitted into squares: as `read_pixels`."""
    pixels = np.empty((len(pictures), size, size, 3), np.uint8)

    def fit(index: int) -> None:
        with Image.open(io.BytesIO(pictures[index])) as picture:
            pixels[index] = images.square(picture, size, background)

    _on_all_cores(fit, len(pictures))
    return pixels


def pixels_in_pieces(
    files: Sequence[str], size: int, background: str, step: int
) -> Iterator[np.ndarray]:
    """The pixels of all files, `step` pictures at a time: a study may be larger than the memory."""
    pieces = (files[start : start + step] for start in range(0, len(files), step))
    return iter(Prefetch(read_pixels(piece, size, background) for piece in pieces))


def _on_all_cores(work: Callable[[int], None], count: int) -> None:
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(work, range(count)))


def varied(
    picture: np.ndarray, augment: Augment, background: str, rng: np.random.Generator
) -> np.ndarray:
    """One view of a picture, uint8 (size, size, 3) like the picture itself.

    Mirror, zoom, rotation and shift are a single affine map, so the picture is resampled once;
    what the map leaves empty is background.
    """
    size = picture.shape[0]
    turn, zoom, right, down, light = rng.uniform(-1, 1, 5)
    side = -1 if augment.mirror and rng.random() < 0.5 else 1
    angle = turn * augment.rotation * pi / 180
    # Pillow asks where each pixel of the view comes from: the inverse of mirror, zoom and turn.
    inverse = np.array([[side * cos(angle), side * sin(angle)], [-sin(angle), cos(angle)]])
    inverse /= 1 + zoom * augment.zoom
    centre = np.array([size, size]) / 2
    shift = np.array([right, down]) * augment.shift * size
    offset = centre - inverse @ (centre + shift)
    view = Image.fromarray(picture).transform(
        (size, size),
        Image.Transform.AFFINE,
        (*inverse[0], offset[0], *inverse[1], offset[1]),
        Image.Resampling.BILINEAR,
        fillcolor=background,
    )
    return np.asarray(ImageEnhance.Brightness(view).enhance(1 + light * augment.brightness))


def views(
    pixels: np.ndarray, files: Sequence[str], augment: Augment, background: str
) -> np.ndarray:
    """Every view of some pictures: uint8 (n, views, size, size, 3), on all cores.

    View v of a file is a function of the file's name and v alone.
    """
    made = np.empty((len(pixels), augment.views, *pixels.shape[1:]), np.uint8)

    def make(index: int) -> None:
        for view in range(augment.views):
            rng = generator(VIEWS, files[index], view)
            made[index, view] = varied(pixels[index], augment, background, rng)

    _on_all_cores(make, len(pixels))
    return made


def scaled(pixels):
    """Pixels 0–255, array or tensor, as the networks take them: a float32 tensor in [-1, 1]."""
    import keras  # here, not above: it takes seconds, and other stages read the listing alone

    return keras.ops.cast(pixels, "float32") / 127.5 - 1
