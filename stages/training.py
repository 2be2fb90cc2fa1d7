"""One engine for both phases: batches, optimiser, early stopping, curves, progress."""

from __future__ import annotations

import time
from collections.abc import Iterator
from math import ceil, isfinite
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from dvclive import Live

from stages.determinism import generator
from stages.errors import StudyError
from stages.params import Training

STACK = 16 << 20  # bytes of inputs that go to TensorFlow in one piece


class Batches:
    """Training batches from stored views: each epoch shows every picture once, by its next view.

    `inputs` (n, views, …) may be memory-mapped, `targets` are float32 (n, classes). A batch is a
    function of the seed, the epoch and its number in it alone, whatever was drawn before.
    """

    def __init__(
        self, inputs: np.ndarray, targets: np.ndarray, settings: Training, seed: int
    ) -> None:
        self.inputs, self.targets, self.settings, self.seed = inputs, targets, settings, seed
        self.first_view = generator(seed, "views").integers(inputs.shape[1], size=len(inputs))

    def __len__(self) -> int:
        return ceil(len(self.inputs) / self.settings.batch_size)

    def epoch(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The batches of one epoch, counted from 1: float32 (batch, …) and (batch, classes)."""
        order = generator(self.seed, "order", epoch).permutation(len(self.inputs))
        size = self.settings.batch_size
        for index in range(len(self)):
            rows = order[index * size : (index + 1) * size]
            view = (self.first_view[rows] + epoch) % self.inputs.shape[1]
            batch = self.inputs[rows, view].astype(np.float32)
            targets = smoothed(self.targets[rows], self.settings.label_smoothing)
            if self.settings.mixup:
                rng = generator(self.seed, epoch, index)
                batch, targets = mixed(batch, targets, self.settings.mixup, rng)
            yield batch, targets

    def dataset(self) -> tf.data.Dataset:
        """The batches of all epochs, one after another.

        TensorFlow asks Python for many small batches at once: a call takes longer than a step of
        a head.
        """
        shapes = self.inputs.shape[2:], self.targets.shape[1:]
        signature = tuple(tf.TensorSpec((None, None, *shape), tf.float32) for shape in shapes)
        return tf.data.Dataset.from_generator(self._stacks, output_signature=signature).unbatch()

    def _stacks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for epoch in range(1, self.settings.epochs + 1):
            pile: list[tuple[np.ndarray, np.ndarray]] = []
            for batch in self.epoch(epoch):
                full = (len(pile) + 1) * batch[0].nbytes > STACK
                if pile and (full or len(batch[0]) < len(pile[0][0])):
                    yield stacked(pile)
                    pile = []
                pile.append(batch)
            yield stacked(pile)


def stacked(pile: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Batches of one size as one array of inputs and one of targets."""
    inputs, targets = zip(*pile, strict=True)
    return np.stack(inputs), np.stack(targets)


def smoothed(targets: np.ndarray, amount: float) -> np.ndarray:
    """Label smoothing: `amount` of each target's weight is spread evenly over all classes.

    Szegedy et al. 2016, https://arxiv.org/abs/1512.00567. It is done to the targets and not in
    the loss, so that the validation loss stays a plain cross-entropy.
    """
    return targets * np.float32(1 - amount) + np.float32(amount / targets.shape[1])


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


class Curve(keras.callbacks.Callback):
    """Writes the learning curve at the end of every epoch and prints a line with the time left."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        # Without dvcyaml=None DVCLive would rewrite the project's own dvc.yaml.
        self.live = Live(str(folder), dvcyaml=None, save_dvc_exp=False, report=None)
        self.started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if not isfinite(logs["loss"]):
            raise StudyError(
                f"the loss became {logs['loss']} in epoch {epoch + 1}: lower the learning rate"
            )
        self.live.step = epoch + 1
        for name, value in logs.items():
            split, _, figure = name.rpartition("_")
            self.live.log_metric(f"{'validation' if split else 'train'}/{figure}", value)
        self.live.make_summary()
        self._print(epoch + 1, logs)

    def on_train_end(self, logs: dict | None = None) -> None:
        self.live.end()

    def _print(self, epoch: int, logs: dict) -> None:
        left = (time.monotonic() - self.started) / epoch * (self.params["epochs"] - epoch)
        print(
            f"epoch {epoch}/{self.params['epochs']}"
            f"  loss {logs['loss']:.3f} accuracy {logs['accuracy']:.3f}"
            f"  validation loss {logs['val_loss']:.3f} accuracy {logs['val_accuracy']:.3f}"
            f"  {int(left) // 60}:{int(left) % 60:02d} left",
            flush=True,
        )


def train(
    model: keras.Model,
    batches: Batches,
    validation: tuple[np.ndarray, np.ndarray],
    settings: Training,
    folder: Path,
) -> dict[str, float]:
    """Train a model that gives logits, leave it with the weights of its best epoch.

    The best epoch has the lowest validation loss (cross-entropy). The learning curve goes to
    `folder`. Returns the best epoch's number and its validation loss and accuracy.
    Raises StudyError where the loss is not a number any more.
    """
    model.compile(
        optimizer=optimizer(settings, len(batches)),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
        steps_per_execution=len(batches),  # a head's step takes less than a call from Python
    )
    best = keras.callbacks.EarlyStopping(
        monitor="val_loss", patience=settings.patience, restore_best_weights=True
    )
    history = model.fit(
        batches.dataset(),
        steps_per_epoch=len(batches),
        validation_data=validation,
        validation_batch_size=settings.batch_size,
        epochs=settings.epochs,
        callbacks=[best, Curve(folder)],
        verbose=0,
    ).history
    epoch = int(np.argmin(history["val_loss"]))
    return {
        "epoch": epoch + 1,
        "validation_loss": history["val_loss"][epoch],
        "validation_accuracy": history["val_accuracy"][epoch],
    }


def optimizer(settings: Training, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Adam or AdamW with the learning-rate schedule and gradient clipping of the settings."""
    kinds = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW}
    decay = {"weight_decay": settings.weight_decay} if settings.optimizer == "adamw" else {}
    return kinds[settings.optimizer](
        schedule(settings, steps_per_epoch), global_clipnorm=settings.clip_norm or None, **decay
    )


def schedule(settings: Training, steps_per_epoch: int):
    """The learning rate by step: linear warm-up, then constant or down a cosine to zero.

    Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983.
    """
    warmup = settings.warmup_epochs * steps_per_epoch
    if settings.schedule == "constant" and not warmup:
        return settings.learning_rate
    steps = max(1, settings.epochs * steps_per_epoch - warmup)
    end = 0.0 if settings.schedule == "cosine" else 1.0
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else settings.learning_rate,
        decay_steps=steps,
        alpha=end,
        warmup_target=settings.learning_rate if warmup else None,
        warmup_steps=warmup,
    )


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """int64 (n,) → float32 (n, classes)."""
    return np.eye(classes, dtype=np.float32)[labels]
