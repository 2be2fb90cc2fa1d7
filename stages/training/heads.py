"""Transfer learning: a new head, trained on the features of a frozen backbone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from stages.networks import models
from stages.training.batches import Batches, Validation
from stages.training.devices import Device
from stages.training.learning_curve import Figures
from stages.training.loop import Values, assign, checkpoint, train, values
from stages.training.predictions import answering
from stages.training.trainer import Trainer


@dataclass(frozen=True)
class TrainedHead:
    """A head, the figures of the epoch whose weights it has, and its logits of every picture."""

    head: keras.Model
    chosen: Figures
    logits: np.ndarray  # float32 (pictures, classes)


class Heads:
    """Trains heads one after another.

    To build and trace one takes about as long as to train it, so what TensorFlow has traced for a
    head serves those after it, where they are alike.
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self._last: _Engine | None = None

    @contextmanager
    def trained(
        self, name: str, inputs: tuple[Batches, Validation], curve: Path | None = None
    ) -> Iterator[TrainedHead]:
        """A head trained on stored features. Killed inside the block, it goes on where it was.

        It is silent without a `curve` to write: heads of folds are a matter of seconds. `name` is
        that of its checkpoint, which is gone after the block. The head is the next one's after it.
        """
        batches, validation = inputs
        every = every_view(batches)
        engine = self._untrained(every)
        head, trainer = engine.head, engine.trainer
        models.standardise(head, batches.inputs, batches.rows)
        _read_its_weights(head)
        with checkpoint(name, trainer, every, validation) as kept:
            chosen = train(trainer, every, validation, curve, kept, quiet=curve is None)
            said = engine.answer(validation.inputs)
            head.get_layer("standardise").finalize_state()  # as a head is that is loaded
            yield TrainedHead(head, chosen, said)

    def _untrained(self, batches: Batches) -> _Engine:
        if self._last and self._last.trainer.serves(batches):
            assign(self._last.trainer.state, self._last.start)
        else:
            self._last = _engine(batches, self.device)
        return self._last


@dataclass(frozen=True)
class _Engine:
    head: keras.Model
    trainer: Trainer
    answer: Callable[[np.ndarray], np.ndarray]
    start: Values  # of the trainer's state


def _engine(batches: Batches, device: Device) -> _Engine:
    with device.strategy.scope():
        head = models.head(batches.inputs.shape[-1], batches.targets.shape[1])
    trainer = Trainer(head, batches, device)
    return _Engine(head, trainer, answering(head), values(trainer.state))


def _read_its_weights(head: keras.Model) -> None:
    """Keras's layer works with copies of mean and variance, which would be those of one fold."""
    layer = head.get_layer("standardise")
    layer.mean, layer.variance = layer.adapt_mean, layer.adapt_variance


def every_view(batches: Batches) -> Batches:
    """Features cost nothing to show again: an epoch is every view of every picture."""
    pictures, views, size = batches.inputs.shape
    inputs = batches.inputs.reshape(pictures * views, 1, size)
    targets = np.repeat(batches.targets, views, axis=0)
    rows = (batches.rows[:, None] * views + np.arange(views)).ravel()
    return Batches(inputs, targets, rows, batches.settings, batches.seed)
