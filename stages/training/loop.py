"""One engine for both phases: epochs, early stopping, and going on where a killed run was."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from stages.errors import InterruptedStageError, StudyError
from stages.pictures.prefetch import Prefetch
from stages.runtime import fingerprints
from stages.training import batches as batches_module
from stages.training import trainer as trainer_module
from stages.training.batches import Batches, Chunk, Validation
from stages.training.checkpoints import Checkpoint, fingerprint
from stages.training.learning_curve import Curve, Figures
from stages.training.trainer import Trainer

Values = list[np.ndarray]

CODE = (sys.modules[__name__], trainer_module, batches_module)  # another one goes another way


def checkpoint(name: str, trainer: Trainer, batches: Batches, validation: Validation) -> Checkpoint:
    """Where a training keeps its state: it is that of these inputs, settings and this code."""
    code = [fingerprints.code(Path(module.__file__)).sha256 for module in CODE]
    parts = (batches.inputs, batches.targets, batches.rows, batches.seed)
    judged = (validation.inputs, validation.rows)
    engine = trainer.device.name, keras.version(), tf.version.VERSION
    settings = batches.settings.model_dump()
    return Checkpoint(
        name, fingerprint(*code, *engine, settings, *parts, *judged, *values(trainer.state))
    )


def train(
    trainer: Trainer,
    batches: Batches,
    validation: Validation,
    curve: Path | None,
    kept: Checkpoint,
    quiet: bool = False,
) -> dict[str, float]:
    """Train, with early stopping or without (`chosen_epoch`).

    The learning curve goes to the folder `curve`, if one is given, and is printed unless `quiet`.
    A training that was killed goes on after its last whole epoch, and ends in the same bytes.
    Returns the chosen epoch's number, and its validation loss and accuracy. Raises StudyError where
    the loss is no number any more.
    """
    settings = batches.settings
    done, chosen = resumed(trainer, kept)
    lines = Curve(curve, settings.epochs, done, quiet)
    prefetch = Prefetch(batches.epochs(len(done) + 1))
    chunks = iter(prefetch)
    try:
        while len(done) < settings.epochs and not is_stuck(done, settings.patience):
            figures = one_epoch(trainer, chunks, batches) | trainer.validate(validation)
            require_finite(figures, len(done) + 1)
            done.append(figures)
            state = values(trainer.state)
            if chosen_epoch(done, settings.patience) == len(done):
                chosen = state[: len(trainer.model.variables)]
            lines.add(len(done), figures)
            keep(kept, state, done, chosen)
    except KeyboardInterrupt:
        there = f"goes on after epoch {len(done)}" if done else "starts again"
        raise InterruptedStageError(f"interrupted; `dvc repro` {there}") from None
    finally:
        chunks.close()
        lines.end()
    assign(trainer.model.variables, chosen)
    prefetch.complain()
    number = chosen_epoch(done, settings.patience)
    figures = done[number - 1]
    return {
        "epoch": number,
        "validation_loss": figures["val_loss"],
        "validation_accuracy": figures["val_accuracy"],
    }


def one_epoch(trainer: Trainer, chunks: Iterator[Chunk], batches: Batches) -> Figures:
    """Train on the next epoch's batches. → mean loss and accuracy, as they were on the way."""
    steps, total = 0, np.zeros(2)
    while steps < len(batches):
        inputs, targets = next(chunks)
        total += trainer.train(inputs, targets).numpy()
        steps += len(inputs)
    loss, accuracy = total / len(batches.rows)
    return {"loss": float(loss), "accuracy": float(accuracy)}


def is_stuck(done: Sequence[Figures], patience: int) -> bool:
    """Whether validation loss has not fallen for `patience` epochs; never with 0."""
    return bool(patience and done) and len(done) - chosen_epoch(done, patience) >= patience


def chosen_epoch(done: Sequence[Figures], patience: int) -> int:
    """The epoch, counted from 1, whose weights stay.

    With early stopping the one with the lowest validation loss, the first of several; without
    (a patience of 0) the last one.
    """
    losses = [figures["val_loss"] for figures in done]
    return 1 + losses.index(min(losses)) if patience else len(done)


def require_finite(figures: Figures, epoch: int) -> None:
    for name in ("loss", "val_loss"):
        if not isfinite(figures[name]):
            raise StudyError(
                f"{name} became {figures[name]} in epoch {epoch}: lower the learning rate"
            )


def keep(kept: Checkpoint, state: Values, done: list[Figures], chosen: Values) -> None:
    arrays = {f"state.{row}": value for row, value in enumerate(state)}
    kept.save(done, arrays | {f"chosen.{row}": value for row, value in enumerate(chosen)})


def resumed(trainer: Trainer, kept: Checkpoint) -> tuple[list[Figures], Values]:
    """Set the state that was kept. → figures of the epochs it had, values of the chosen one."""
    done, arrays = kept.load()
    if not done:
        return [], []
    print(f"goes on after epoch {len(done)}", flush=True)
    assign(trainer.state, [arrays[f"state.{row}"] for row in range(len(trainer.state))])
    return done, [arrays[f"chosen.{row}"] for row in range(len(trainer.model.variables))]


def values(variables: Sequence[keras.Variable]) -> Values:
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def assign(variables: Sequence[keras.Variable], new: Values) -> None:
    for variable, value in zip(variables, new, strict=True):
        variable.assign(value)
