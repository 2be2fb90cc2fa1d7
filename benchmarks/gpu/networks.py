"""Networks of the zoo with weights, heads and random inputs, on whichever backend Keras has."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from benchmarks.workplace import ROOT
from stages import zoo
from stages.networks.weight_files import load_weights, set_weights
from stages.runtime.randomness import generator
from stages.zoo.parts.seeded import seeded_values

CLASSES = 10
PRECISIONS = ("float32", "mixed_bfloat16")  # dtype policies of Keras


@contextlib.contextmanager
def of_precision(policy: str) -> Iterator[None]:
    """What this thread builds in the block is of this policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def backbone(name: str) -> keras.Model:
    """A network with the study's weights, or seeded ones."""
    network = zoo.lookup(name).backbone(zoo.lookup(name).ENTRY.image_size)
    file = ROOT / Path("models", name, "pretrained/backbone.safetensors")
    if file.exists():
        load_weights(network, file)
    else:
        set_weights(network, seeded_values(network), "seeded")
    return network


def classifier(name: str, backbone: keras.Model, blocks: int) -> keras.Model:
    """The last blocks with a head: activations, or pictures for all blocks → logits (n, 10)."""
    cut = zoo.lookup(name).cut(backbone, blocks)
    # As the study's head, which standardises by features that are not there.
    features = keras.layers.LayerNormalization(dtype="float32")(backbone.output)
    start = keras.initializers.GlorotUniform(seed=0)
    head = keras.layers.Dense(CLASSES, kernel_initializer=start, dtype="float32")
    return keras.Model(cut, head(features))


def batch_of(network: keras.Model, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Random inputs and one-hot targets, float32."""
    labels = generator(0, "labels").integers(CLASSES, size=size)
    return random(size, *network.input_shape[1:]), np.eye(CLASSES, dtype=np.float32)[labels]


def random(*shape: int) -> np.ndarray:
    """float32 in [-1, 1)."""
    return generator(0, "inputs").random(shape, np.float32) * 2 - 1
