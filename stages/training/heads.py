"""Transfer learning: a new head, trained on the features of a frozen backbone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from stages.networks import models
from stages.training.batches import Batches, Validation
from stages.training.devices import Device
from stages.training.learning_curve import Figures
from stages.training.loop import checkpoint, train
from stages.training.predictions import logits
from stages.training.trainer import Trainer


@dataclass(frozen=True)
class TrainedHead:
    """A head, the figures of the epoch whose weights it has, and its logits of every picture."""

    head: keras.Model
    chosen: Figures
    logits: np.ndarray  # float32 (pictures, classes)


@contextmanager
def trained_head(
    name: str, inputs: tuple[Batches, Validation], device: Device, curve: Path | None = None
) -> Iterator[TrainedHead]:
    """A head trained on stored features. Killed inside the block, it goes on where it was.

    It is silent without a `curve` to write: heads of folds are a matter of seconds. `name` is that
    of its checkpoint, which is gone after the block.
    """
    batches, validation = inputs
    with device.strategy.scope():
        head = models.head(batches.inputs.shape[-1], batches.targets.shape[1])
        models.standardise(head, batches.inputs, batches.rows)
    batches = every_view(batches)
    trainer = Trainer(head, batches, device)
    with checkpoint(name, trainer, batches, validation) as kept:
        chosen = train(trainer, batches, validation, curve, kept, quiet=curve is None)
        yield TrainedHead(head, chosen, logits(head, validation.inputs))


def every_view(batches: Batches) -> Batches:
    """Features cost nothing to show again: an epoch is every view of every picture."""
    pictures, views, size = batches.inputs.shape
    inputs = batches.inputs.reshape(pictures * views, 1, size)
    targets = np.repeat(batches.targets, views, axis=0)
    rows = (batches.rows[:, None] * views + np.arange(views)).ravel()
    return Batches(inputs, targets, rows, batches.settings, batches.seed)
