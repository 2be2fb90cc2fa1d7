"""What a network is trained and validated on, in the order and the pieces in which it gets it."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from pathlib import Path

import numpy as np

from stages.networks.models import TOKENS
from stages.params import Finetune, Training
from stages.pictures.datasets import Listing
from stages.runtime.randomness import generator

CHUNK = 16 << 20  # bytes of inputs that go to TensorFlow in one piece

Chunk = tuple[np.ndarray, np.ndarray]  # float32 (batches, batch, …) and (batches, batch, classes)


class Batches:
    """Training batches from stored views: each epoch shows every picture once, by its next view.

    The pictures are some rows of `inputs` (n, views, …), which may be memory-mapped, and of
    `targets`, float32 (n, classes). A batch is a function of the rows, the seed, the epoch and its
    number in it alone, whatever was drawn before. Of tokens it has a share: `some_patches`.
    """

    def __init__(
        self,
        inputs: np.ndarray,
        targets: np.ndarray,
        rows: np.ndarray,
        settings: Training,
        seed: int,
    ) -> None:
        self.inputs, self.targets, self.rows = inputs, targets, rows
        self.settings, self.seed = settings, seed
        has_tokens = isinstance(settings, Finetune) and inputs[:, 0].ndim == TOKENS
        self.patches = settings.keep_patches if has_tokens else 1.0
        self.first_view = generator(seed, "views").integers(inputs.shape[1], size=len(inputs))

    def __len__(self) -> int:
        return ceil(len(self.rows) / self.settings.batch_size)

    def epoch(self, epoch: int) -> Iterator[Chunk]:
        """The batches of one epoch, counted from 1, in chunks; the last may be a smaller one."""
        order = generator(self.seed, "order", epoch).permutation(self.rows)
        start = 0
        for rows in chunked(order, self.settings.batch_size, self.inputs[0, 0].size):
            view = (self.first_view[rows] + epoch) % self.inputs.shape[1]
            inputs = self._seen(self.inputs[rows, view], epoch, start)
            inputs = inputs.astype(np.float32, copy=False)
            targets = smoothed(self.targets[rows], self.settings.label_smoothing)
            if self.settings.mixup:
                for index in range(len(rows)):
                    rng = generator(self.seed, epoch, start + index)
                    inputs[index], targets[index] = mixed(
                        inputs[index], targets[index], self.settings.mixup, rng
                    )
            start += len(rows)
            yield inputs, targets

    def _seen(self, inputs: np.ndarray, epoch: int, start: int) -> np.ndarray:
        """What a step gets of each batch of a chunk, whose first has the number `start`."""
        if self.patches == 1:
            return inputs
        seen = []
        for index, batch in enumerate(inputs):
            rng = generator(self.seed, "patches", epoch, start + index)
            seen.append(some_patches(batch, rng, self.patches))
        return np.stack(seen)

    def epochs(self, first: int) -> Iterator[Chunk]:
        """The chunks of this epoch and of all that follow."""
        for epoch in range(first, self.settings.epochs + 1):
            yield from self.epoch(epoch)


class Validation:
    """Pictures as they are, some rows of `inputs` (n, 1, …), always in the same order."""

    def __init__(
        self, inputs: np.ndarray, targets: np.ndarray, rows: np.ndarray, batch_size: int
    ) -> None:
        self.inputs, self.targets, self.rows = inputs, targets, rows
        self.batch_size = batch_size

    def __len__(self) -> int:
        return len(self.rows)

    def chunks(self) -> Iterator[Chunk]:
        """All of them once."""
        for rows in chunked(self.rows, self.batch_size, self.inputs[0, 0].size):
            yield self.inputs[rows, 0].astype(np.float32, copy=False), self.targets[rows]


def stored(
    folder: Path, listing: Listing, settings: Training, seed: int
) -> tuple[Batches, Validation]:
    """What the stage `features` left in a folder, memory-mapped, to train and to validate on."""
    views, clean = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("views", "clean"))
    targets = one_hot(listing.labels, len(listing.classes))
    batches = Batches(views, targets, listing.rows("train"), settings, seed)
    return batches, Validation(clean, targets, listing.rows("validation"), settings.batch_size)


def chunked(order: np.ndarray, batch_size: int, numbers: int) -> Iterator[np.ndarray]:
    """int (n,) → pieces (batches, batch) of it; `numbers` is how many an input has.

    A call from Python takes longer than a step of a head: so TensorFlow gets many at once.
    """
    full = len(order) // batch_size
    step = max(1, CHUNK // (4 * numbers * batch_size))
    whole = order[: full * batch_size].reshape(full, batch_size)
    for start in range(0, full, step):
        yield whole[start : start + step]
    if full * batch_size < len(order):
        yield order[None, full * batch_size :]


def some_patches(batch: np.ndarray, rng: np.random.Generator, share: float) -> np.ndarray:
    """(n, 1 + patches, width) → the class token and a share of the patches, drawn for the batch.

    PatchDropout, Liu et al. 2023, https://arxiv.org/abs/2208.07220; there drawn for each picture,
    here for all of a batch, as mixup blends them.
    """
    patches = batch.shape[1] - 1
    drawn = rng.permutation(patches)[: max(1, round(share * patches))]
    return batch[:, [0, *(1 + np.sort(drawn))]]


def smoothed(targets: np.ndarray, amount: float) -> np.ndarray:
    """Label smoothing: `amount` of each target's weight is spread evenly over all classes.

    Szegedy et al. 2016, https://arxiv.org/abs/1512.00567. It is done to the targets and not in
    the loss, so that the validation loss stays a plain cross-entropy.
    """
    return targets * np.float32(1 - amount) + np.float32(amount / targets.shape[-1])


def mixed(
    batch: np.ndarray, targets: np.ndarray, beta: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """mixup: each example is blended with another one of its batch, and their targets alike.

    Zhang et al. 2018, https://arxiv.org/abs/1710.09412; here also on the stored activations.
    """
    share = np.float32(rng.beta(beta, beta))
    other = rng.permutation(len(batch))
    return (
        share * batch + (1 - share) * batch[other],
        share * targets + (1 - share) * targets[other],
    )


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """int64 (n,) → float32 (n, classes)."""
    return np.eye(classes, dtype=np.float32)[labels]
