"""What running the frozen backbone once buys: transfer learning here and the plain way.

    python -m benchmarks.frozen_backbone [plain epochs, default 50]

The plain way is the script one would write from a tutorial: augmentation layers and the frozen
backbone in the model, both run over all training pictures in every epoch. Ours is the stages
`features` (a process of its own, Python's start included, of all pictures and not of those for
training alone) and `transfer` (with reading the features, writing the model, and the heads of all
other folds). Both train for 50 epochs, and neither counts the start of Python for the
head. "next" compares training alone on both sides, from the first step to the last validation.
With fewer plain epochs, their mean time but for the first, which also builds the graph, stands for
the others; the table says so.

Needs data/rgb, data/split.csv and models/*/pretrained (`dvc repro weights split`); it works in a
folder of its own and changes nothing here.
"""

import os
import sys
import time
from collections.abc import Callable
from functools import partial

import keras

from benchmarks.plain_keras import Clock, augmentation
from benchmarks.workplace import ROOT, stage, study_params, workplace
from stages import transfer
from stages.networks import models
from stages.pictures import datasets
from stages.training import heads, loop
from stages.training.batches import one_hot
from stages.training.determinism import make_reproducible

EPOCHS = 50


def main(plain_epochs: int) -> None:
    os.chdir(ROOT)
    make_reproducible(seed=0)
    params = study_params()
    plain = {model: plain_way(model, params, plain_epochs) for model in params["models"]}
    features, heads, trained = our_way(params)
    names = ("plain way", "features", "head", "training")
    print(f"\n{'network':20}", *(f"{name:>9}" for name in names), " ratio   next")
    for model in (*params["models"], "both"):
        chosen = params["models"] if model == "both" else [model]
        times = plain, features, heads, trained
        slow, once, each, alone = (sum(part[m] for m in chosen) for part in times)
        print(f"{model:20}", *(f"{t:8.1f}s" for t in (slow, once, each, alone)), end="")
        print(f" {slow / (once + each):6.1f} {slow / alone:6.0f}")
    if plain_epochs < EPOCHS:
        print(f"plain way: {plain_epochs} epochs measured, {EPOCHS} reckoned from them")


def plain_way(model: str, params: dict, epochs: int) -> float:
    """Seconds that `EPOCHS` epochs of head training take with the backbone in the loop."""
    listing = datasets.read_listing()
    backbone = models.pretrained(model)
    backbone.trainable = False
    size = backbone.input_shape[1]
    pixels = datasets.read_pixels(listing.files, size, params["rgb"]["background"])
    targets = one_hot(listing.labels, len(listing.classes))
    head = keras.layers.Dense(len(listing.classes), activation="softmax")
    scaling = keras.layers.Rescaling(1 / 127.5, -1.0)
    network = keras.Sequential([*augmentation(params["augment"]), scaling, backbone, head])
    network.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    train, held_out = listing.rows("train"), listing.rows("validation")
    clock = Clock()
    network.fit(
        *(pixels[train], targets[train]),
        validation_data=(pixels[held_out], targets[held_out]),
        epochs=epochs,
        callbacks=[clock],
        verbose=2,
    )
    if epochs == EPOCHS:
        return sum(clock.seconds)
    return clock.seconds[0] + (EPOCHS - 1) * sum(clock.seconds[1:]) / (epochs - 1)


def our_way(params: dict) -> list[dict[str, float]]:
    """Seconds of the stages `features` and `transfer` of each network, and of training in it."""
    # 50 epochs whatever the validation loss says, as the plain way.
    every = params | {"transfer": params["transfer"] | {"epochs": EPOCHS, "patience": 0}}
    borrowed = ["data", *(f"models/{model}/pretrained" for model in params["models"])]
    with workplace(every, borrowed) as folder:
        features = {model: stage(folder, "features", model).seconds for model in params["models"]}
        os.chdir(folder)
        whole, trained = {}, {}
        for model in params["models"]:
            heads.train = partial(timed, trained, model)
            whole[model] = seconds(transfer.main, model)
        os.chdir(ROOT)
    return [features, whole, trained]


def timed(times: dict[str, float], model: str, *arguments, **options) -> dict[str, float]:
    """Train, and keep the seconds of a network's first head: the others are of other folds."""
    started = time.perf_counter()
    best = loop.train(*arguments, **options)
    times.setdefault(model, time.perf_counter() - started)
    return best


def seconds(function: Callable, *arguments, **options) -> float:
    started = time.perf_counter()
    function(*arguments, **options)
    return time.perf_counter() - started


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else EPOCHS)
