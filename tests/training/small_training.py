"""A training of seconds, shared by tests, and a process of its own for those that kill it.

python -m tests.training.small_training <folder> <seconds to sleep after each epoch>
"""

import os
import sys
import time
from pathlib import Path

import keras
import numpy as np

from stages.networks.weight_files import save_weights
from stages.params import Training
from stages.training import devices, loop
from stages.training.batches import Batches, Validation, one_hot
from stages.training.determinism import make_reproducible
from stages.training.learning_curve import Curve
from stages.training.trainer import Trainer

PLAIN = Training(
    optimizer="adam",
    learning_rate=0.05,
    schedule="constant",
    warmup_epochs=0,
    weight_decay=0.0,
    clip_norm=0.0,
    label_smoothing=0.0,
    mixup=0.0,
    class_weights="none",
    batch_size=4,
    epochs=6,
    patience=6,
)
EVERYTHING = PLAIN.model_copy(
    update={
        "optimizer": "adamw",
        "schedule": "cosine",
        "warmup_epochs": 1,
        "weight_decay": 0.01,
        "clip_norm": 1.0,
        "label_smoothing": 0.1,
        "mixup": 0.4,
        "class_weights": "balanced",
        "epochs": 12,
        "patience": 12,
    }
)


def blobs() -> tuple[np.ndarray, np.ndarray]:
    """Two clouds of points (40, 3), and their classes."""
    rng = np.random.default_rng(1)
    labels = np.arange(40) % 2
    return rng.normal(labels[:, None] * 2.0, 1.0, (40, 3)).astype(np.float32), labels


def classifier() -> keras.Model:
    """With dropout, whose random numbers are a state of their own."""
    keras.utils.set_random_seed(0)
    dropout, dense = keras.layers.Dropout(0.2, seed=1), keras.layers.Dense(2, name="logits")
    return keras.Sequential([keras.Input((3,)), dropout, dense], name="small")


def parts(settings: Training, truth: bool = True) -> tuple[Trainer, Batches, Validation]:
    """All but 10 points to train on, 10 to validate on; their labels are wrong without `truth`."""
    points, labels = blobs()
    batches = Batches(points[:, None], one_hot(labels, 2), np.arange(30), settings, seed=0)
    targets = one_hot(labels if truth else 1 - labels, 2)
    validation = Validation(points[:, None], targets, np.arange(30, 40), settings.batch_size)
    device = devices.choose("cpu")
    with device.strategy.scope():
        model = classifier()
    return Trainer(model, batches, device), batches, validation


def trained(settings: Training, truth: bool = True) -> tuple[keras.Model, dict]:
    """Train in the current folder, with a checkpoint, and write curve and weights there."""
    trainer, batches, validation = parts(settings, truth)
    with loop.checkpoint("small", trainer, batches, validation) as kept:
        best = loop.train(trainer, batches, validation, Path("curve"), kept)
        save_weights(trainer.model, "model.safetensors")
    return trainer.model, best


def main(folder: str, pause: str) -> None:
    os.chdir(folder)
    add = Curve.add

    def slow_add(self, epoch: int, figures: dict) -> None:
        add(self, epoch, figures)
        print("epoch", epoch, flush=True)  # a log has a few of them alone
        time.sleep(float(pause))

    Curve.add = slow_add  # so that a kill has something to hit
    make_reproducible(0)
    trained(EVERYTHING)


if __name__ == "__main__":
    main(*sys.argv[1:])
