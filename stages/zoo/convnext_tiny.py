"""ConvNeXt-Tiny: a ResNet rebuilt after the example of transformers; no BatchNorm.

Z. Liu et al.: A ConvNet for the 2020s, 2022. Network and weights (ImageNet-1k, the authors') are
Keras Applications'.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stages.errors import StudyError
from stages.zoo import Entry, Published, first_block

if TYPE_CHECKING:
    import keras

PUBLISHER = "https://storage.googleapis.com/tensorflow/keras-applications/convnext"
FILE = "convnext_tiny_notop.h5"
STAGES = (3, 3, 9, 3)  # blocks of each; before each but the first, the map is halved
STARTS = tuple(
    f"downsampling_block_{stage - 1}"
    if stage and not block
    else f"stage_{stage}_block_{block}_depthwise_conv"
    for stage, blocks in enumerate(STAGES)
    for block in range(blocks)
)

ENTRY = Entry(
    family="cnn",
    title="ConvNeXt-Tiny",
    parameters=27_813_504,
    gflops=4.46,
    image_size=224,
    features=768,
    blocks=len(STARTS),
    tune_blocks=3,
    tune_rate=1e-4,
    licence="Apache-2.0",
    paper="https://arxiv.org/abs/2201.03545",
    weights=Published(
        url=f"{PUBLISHER}/{FILE}",
        file=FILE,
        sha256="d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
    ),
)


def backbone(size: int) -> keras.Model:
    """float32 RGB (n, size, size, 3) in [-1, 1] → float32 (n, 768)."""
    import keras  # here, not above: it takes 7 seconds, and ENTRY needs none of it

    from stages.zoo.parts import keras_application

    image = keras_application.image(size)
    network = keras.applications.ConvNeXtTiny(
        include_top=False,
        include_preprocessing=False,  # it would standardise pixels of 0 to 255
        weights=None,
        input_tensor=keras_application.standardised(image),
        input_shape=(size, size, 3),
        pooling="avg",
    )
    # Its last normalisation has no name of its own: counted on, it would differ between builds.
    pooled = network.layers[-1].input
    normed = keras.layers.LayerNormalization(epsilon=1e-6, name="head_layernorm")(pooled)
    return keras_application.fixed(keras.Model(image, normed), "convnext_tiny")


def cut(model: keras.Model, blocks: int) -> keras.KerasTensor:
    """Where the last `blocks` blocks begin; the last normalisation belongs to the last one."""
    begin = first_block(ENTRY, blocks)
    return model.get_layer(f"convnext_tiny_{STARTS[begin]}").input if begin else model.input


def convert(file: Path, size: int) -> dict[str, np.ndarray]:
    """The published tensors as values of the backbone's variables, by path.

    LayerScale, alone in having one tensor, is folded into the projection before it.
    Raises StudyError for a file that is not what was published.
    """
    from stages.zoo.parts import keras_application
    from stages.zoo.parts.keras_file import read_keras_file

    layers = []
    for name, tensors in read_keras_file(file):
        if len(tensors) == 1 and layers:
            before, projection = layers.pop()
            layers.append((before, [_scaled(tensor, tensors[0], file) for tensor in projection]))
        else:
            layers.append((name, tensors))
    return keras_application.in_order(layers, backbone(size), file)


def _scaled(tensor: np.ndarray, scale: np.ndarray, file: Path) -> np.ndarray:
    if tensor.shape[-1:] != scale.shape:
        raise StudyError(f"{file} has a scale of shape {scale.shape} after {tensor.shape}")
    return tensor * scale
