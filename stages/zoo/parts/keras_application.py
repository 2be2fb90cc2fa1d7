"""Networks of Keras Applications as backbones: fixed statistics, no dropout, published values."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from stages.errors import StudyError
from stages.zoo.parts.fixed_batch_norm import FixedBatchNorm
from stages.zoo.parts.keras_file import Layers, read_keras_file

MEAN = np.array([0.485, 0.456, 0.406])  # of ImageNet's pixels in [0, 1]
DEVIATION = np.array([0.229, 0.224, 0.225])


def image(size: int) -> keras.KerasTensor:
    """float32 RGB (n, size, size, 3) in [-1, 1]."""
    return keras.Input((size, size, 3), name="image")


def standardised(image: keras.KerasTensor) -> keras.KerasTensor:
    """[-1, 1] → mean 0, deviation 1 over ImageNet, each channel by itself."""
    scale, shift = 0.5 / DEVIATION, (0.5 - MEAN) / DEVIATION
    return keras.layers.Rescaling(scale.tolist(), shift.tolist(), name="rescale")(image)


def fixed(network: keras.Model, name: str) -> keras.Model:
    """The same network, variables under the same paths, but for what moves in training.

    BatchNorm keeps its statistics (fixed_batch_norm.py). Blocks are not dropped at random: frozen
    parts run once, so each pass must give the same. LayerScale goes: `convert` folds it into the
    layer before it, which trains better (docs/decisions.md), and its variable has no stable name.
    """
    copy = keras.models.clone_model(network, clone_function=_counterpart)
    return keras.Model(copy.inputs[0], copy.outputs[0], name=name)


def _counterpart(layer: keras.layers.Layer) -> keras.layers.Layer:
    if isinstance(layer, keras.layers.BatchNormalization):
        return FixedBatchNorm.from_config(layer.get_config())
    if type(layer).__name__ in ("Dropout", "LayerScale"):
        return keras.layers.Identity(name=layer.name)
    return type(layer).from_config(layer.get_config())


def values(file: Path, backbone: keras.Model) -> dict[str, np.ndarray]:
    """The published tensors as values of the backbone's variables, by path."""
    return in_order(read_keras_file(file), backbone, file)


def in_order(layers: Layers, backbone: keras.Model, file: Path) -> dict[str, np.ndarray]:
    """Layer after layer, as Keras itself loads them.

    Names would not do: they are those of the Keras that wrote the file.
    """
    ours = [layer for layer in backbone.layers if layer.weights]
    if len(layers) != len(ours):
        raise StudyError(
            f"{file} has {len(layers)} layers with weights, {backbone.name} has {len(ours)}"
        )
    found = {}
    for layer, (name, tensors) in zip(ours, layers, strict=True):
        variables = layer.trainable_weights + layer.non_trainable_weights
        if len(tensors) != len(variables):
            raise StudyError(
                f"{file}: {name} has {len(tensors)} tensors, {layer.name} takes {len(variables)}"
            )
        found |= {v.path: tensor for v, tensor in zip(variables, tensors, strict=True)}
    return found
