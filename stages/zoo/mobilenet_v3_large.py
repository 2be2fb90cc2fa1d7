"""MobileNetV3-Large: MobileNetV2's blocks with squeeze-excitation, laid out by a search.

A. Howard et al.: Searching for MobileNetV3, 2019. Network and weights (ImageNet-1k) are Keras
Applications'.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stages.zoo import Entry, Published, first_block

if TYPE_CHECKING:
    import keras

PUBLISHER = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v3"
FILE = "weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5"

ENTRY = Entry(
    family="cnn",
    title="MobileNetV3-Large",
    parameters=2_996_352,
    gflops=0.214,
    image_size=224,
    features=960,
    blocks=15,
    tune_blocks=5,
    tune_rate=3e-4,
    licence="Apache-2.0",
    paper="https://arxiv.org/abs/1905.02244",
    weights=Published(url=f"{PUBLISHER}/{FILE}", file=FILE, sha256=None),
)


def backbone(size: int) -> keras.Model:
    """float32 RGB (n, size, size, 3) in [-1, 1] → float32 (n, 960)."""
    import keras  # here, not above: it takes 7 seconds, and ENTRY needs none of it

    from stages.zoo.parts import keras_application

    network = keras.applications.MobileNetV3Large(
        include_top=False,
        include_preprocessing=False,  # it would bring pixels to [-1, 1]
        weights=None,
        input_tensor=keras_application.image(size),
        input_shape=(size, size, 3),
        pooling="avg",
    )
    return keras_application.fixed(network, "mobilenet_v3_large")


def cut(model: keras.Model, blocks: int) -> keras.KerasTensor:
    """Where the last `blocks` blocks begin; the head convolution belongs to the last one."""
    begin = first_block(ENTRY, blocks)
    return model.get_layer(f"expanded_conv_{begin}_expand").input if begin else model.input


def convert(file: Path, size: int) -> dict[str, np.ndarray]:
    """The published tensors as values of the backbone's variables, by path.

    Raises StudyError for a file that is not what was published.
    """
    from stages.zoo.parts import keras_application

    return keras_application.values(file, backbone(size))
