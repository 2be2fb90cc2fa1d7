"""MobileNetV2, the study's CNN: inverted residuals with linear bottlenecks.

M. Sandler et al.: MobileNetV2, 2018. Network and weights (ImageNet-1k) are Keras Applications'.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stages.zoo import Entry, Published, first_block

if TYPE_CHECKING:
    import keras

PUBLISHER = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2"
FILE = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"

ENTRY = Entry(
    family="cnn",
    title="MobileNetV2",
    parameters=2_257_984,
    gflops=0.3,
    image_size=224,
    features=1280,
    blocks=17,
    tune_blocks=5,
    tune_rate=3e-4,
    licence="Apache-2.0",
    paper="https://arxiv.org/abs/1801.04381",
    weights=Published(url=f"{PUBLISHER}/{FILE}", file=FILE, sha256=None),
)


def backbone(size: int) -> keras.Model:
    """float32 RGB (n, size, size, 3) in [-1, 1] → float32 (n, 1280)."""
    import keras  # here, not above: it takes 7 seconds, and ENTRY needs none of it

    from stages.zoo.parts import keras_application

    network = keras.applications.MobileNetV2(
        include_top=False,
        weights=None,
        input_tensor=keras_application.image(size),
        input_shape=(size, size, 3),
        pooling="avg",
    )
    return keras_application.fixed(network, "mobilenet_v2")


def cut(model: keras.Model, blocks: int) -> keras.KerasTensor:
    """Where the last `blocks` blocks begin; the head convolution belongs to the last one."""
    begin = first_block(ENTRY, blocks)
    return model.get_layer(f"block_{begin}_expand").input if begin else model.input


def convert(file: Path, size: int) -> dict[str, np.ndarray]:
    """The published tensors as values of the backbone's variables, by path.

    Raises StudyError for a file that is not what was published.
    """
    from stages.zoo.parts import keras_application

    return keras_application.values(file, backbone(size))
