"""The other side of tutorial_script.py: transfer learning and fine-tuning as tutorials show them.

    python -m benchmarks.plain_keras efficientnet_lite0 <pictures> <result.json> [most epochs]

<pictures> has a folder for each split with a folder for each class. Keras reads them, augmentation
is layers of the model, the frozen backbone runs in every epoch; then everything is unfrozen. To its
favour, decoded pictures are kept in memory, and it starts from our published weights, whose
BatchNorm keeps its statistics as tutorials want it. Numbers of epochs, patience and the strength
of augmentation are those of params.yaml, batches Keras' own 32.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import keras
import yaml

from stages.networks import models

RATES = {"transfer": 1e-3, "finetune": 1e-5}


def main(model: str, pictures: str, result: str, most: str = "") -> None:
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    keras.utils.set_random_seed(params["seed"])
    backbone = models.pretrained(model)
    train, validation, test = (
        read(Path(pictures, split), backbone.input_shape[1])
        for split in ("train", "validation", "test")
    )
    network = classifier(backbone, len(list(Path(pictures, "train").iterdir())), params["augment"])
    found = {}
    for phase, rate in RATES.items():
        backbone.trainable = phase == "finetune"
        epochs = min(params[phase]["epochs"], int(most or params[phase]["epochs"]))
        figures = fit(network, rate, train, validation, epochs, params[phase]["patience"])
        network.save(Path(result).with_name(f"{model}-{phase}.keras"))
        started = time.perf_counter()
        _, accuracy = network.evaluate(test, verbose=0)
        found[phase] = figures | {"accuracy": accuracy, "testing": time.perf_counter() - started}
    Path(result).write_text(json.dumps(found), encoding="utf-8")


def read(folder: Path, size: int):
    """A tf.data.Dataset of batches: pixels 0–255 and one-hot labels."""
    pictures = keras.utils.image_dataset_from_directory(
        folder, label_mode="categorical", image_size=(size, size), batch_size=None, shuffle=False
    ).cache()
    if folder.name == "train":
        pictures = pictures.shuffle(1000)
    return pictures.batch(32).prefetch(2)


def classifier(backbone: keras.Model, classes: int, augment: dict) -> keras.Model:
    """Pixels 0–255 → probabilities."""
    image = keras.Input(backbone.input_shape[1:])
    x = image
    for layer in (*augmentation(augment), keras.layers.Rescaling(1 / 127.5, -1.0)):
        x = layer(x)
    x = backbone(x, training=False)
    return keras.Model(image, keras.layers.Dense(classes, activation="softmax")(x))


def augmentation(augment: dict) -> list[keras.layers.Layer]:
    """What stages/pictures/datasets.py does to a view, as layers."""
    shift, zoom = augment["shift"], augment["zoom"]
    white = {"fill_mode": "constant", "fill_value": 255.0}
    return [
        keras.layers.RandomFlip("horizontal"),
        keras.layers.RandomRotation(augment["rotation"] / 360, **white),
        keras.layers.RandomTranslation(shift, shift, **white),
        keras.layers.RandomZoom((-zoom, zoom), **white),
        keras.layers.RandomBrightness(augment["brightness"], value_range=(0, 255)),
    ]


def fit(network: keras.Model, rate: float, train, validation, epochs: int, patience: int) -> dict:
    """Train; with patience the best epoch's weights stay. → seconds of each epoch, of the whole."""
    started, clock = time.perf_counter(), Clock()
    network.compile(keras.optimizers.Adam(rate), "categorical_crossentropy", metrics=["accuracy"])
    best = keras.callbacks.EarlyStopping(patience=patience, restore_best_weights=True)
    callbacks = [best, clock] if patience else [clock]
    network.fit(train, validation_data=validation, epochs=epochs, callbacks=callbacks)
    return {"seconds": time.perf_counter() - started, "epochs": clock.seconds}


class Clock(keras.callbacks.Callback):
    """Seconds of each epoch, its validation included."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.seconds.append(time.perf_counter() - self.started)


if __name__ == "__main__":
    main(*sys.argv[1:])
