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
whoever does not find them makes them again. A pass that was killed has left there what it had,
under the same hash, and goes on from it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import filelock
import keras

from stages import zoo
from stages.compute.engines import Engine, Local
from stages.networks import models
from stages.pictures import datasets
from stages.runtime import fingerprints, processors, user_cache
from stages.runtime.progress import progress
from stages.training import devices
from stages.training.checkpoints import fingerprint
from stages.training.devices import Device
from stages.training.drafts import Draft
from stages.training.frozen_pass import (
    ACTIVATIONS,
    FEATURES,
    FrozenPass,
    Piece,
    Place,
)

UNUSED = 14 * 24 * 3600  # seconds after which activations that nobody used are removed


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

    def write_features(self, folder: Path, engine: Engine) -> None:
        """Write the features, and keep the activations of the same pass."""
        with self._kept() as kept:
            kinds = (FEATURES,) if kept.is_dir() else (ACTIVATIONS, FEATURES)
            draft = self._draft(kept, kinds, engine)
            if ACTIVATIONS in kinds:
                (draft / ACTIVATIONS).rename(kept)
            folder.mkdir(parents=True, exist_ok=True)
            for path in (draft / FEATURES).iterdir():
                shutil.move(path, folder / path.name)
            shutil.rmtree(draft)

    def activations(self) -> Path:
        """The folder of the activations, made again where they are not there.

        What is built after it has the names that it has without it.
        """
        with self._kept() as kept:
            if not kept.is_dir():
                print("activations are not there: made again", flush=True)
                draft = self._draft(kept, (ACTIVATIONS,), Local())
                (draft / ACTIVATIONS).rename(kept)
                shutil.rmtree(draft)
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
        weights = models.pretrained_folder(self.model) / models.BACKBONE
        params, blocks = self.params, self.params.finetune.blocks
        return fingerprint(
            self.files,
            datasets.digests(self.files),
            [params.rgb.background, params.augment.model_dump()],
            [self.model, models.tuned_blocks(self.model, blocks)],
            fingerprints.fingerprint(__name__, f"stages.zoo.{self.model}"),
            [self.device.name, processors.instructions()],
            user_cache.digest(weights),
        )

    def _draft(self, kept: Path, kinds: Sequence[str], engine: Engine) -> Path:
        """A folder beside `kept` with a folder for each kind, filled to the last row."""
        params, xla = self.params, self.device.xla
        settings = params.finetune.blocks, params.rgb.background, params.augment, xla
        frozen = FrozenPass(self.model, *settings, kinds)
        with Draft(kept.with_suffix(".part")) as draft:
            rows = {array: draft.rows(*frozen.names(array)) for array in frozen.arrays}
            places = list(frozen.places(rows, len(self.files)))
            if places:
                self._fill(draft, frozen, places, engine)
            return draft.folder

    def _fill(
        self, draft: Draft, frozen: FrozenPass, places: Sequence[Place], engine: Engine
    ) -> None:
        views = len(self.files) * sum(frozen.arrays.values())
        done = views - sum(place.views for place in places)
        if done:
            print(f"goes on after {done:,} of {views:,} views", flush=True)
        make = partial(frozen.steps, engine.folder(models.pretrained_folder(self.model)))
        start = partial(
            devices.start_elsewhere, zoo.lookup(self.model).ENTRY.family, processors.cores()
        )
        results = engine.map(make, map(self._piece, places), start)
        with progress(self.model, views, "view", done) as advance:
            for place, outputs in zip(places, results, strict=True):
                for name, rows in outputs.items():
                    draft.put(name, place.start, rows, len(self.files))
                advance(place.views)

    def _piece(self, place: Place) -> Piece:
        files = self.files[place.start : place.end]
        return Piece(place.array, files, datasets.content(files))


def _remove_unused(entries: Path) -> None:
    for path in entries.iterdir():
        try:
            if path.stat().st_mtime < time.time() - UNUSED:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        except FileNotFoundError:  # another process was faster
            continue
