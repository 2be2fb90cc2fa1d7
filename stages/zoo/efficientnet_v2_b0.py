"""EfficientNetV2-B0: inverted residuals, the lower ones with one convolution for two.

M. Tan, Q. V. Le: EfficientNetV2, 2021. Network and weights (ImageNet-1k) are Keras Applications'.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stages.zoo import Entry, Published, first_block

if TYPE_CHECKING:
    import keras

PUBLISHER = "https://storage.googleapis.com/tensorflow/keras-applications/efficientnet_v2"
FILE = "efficientnetv2-b0_notop.h5"
STAGES = (1, 2, 2, 3, 5, 8)  # blocks of each, "block4b" is the second of the fourth
BLOCKS = tuple(
    f"block{stage}{'abcdefgh'[block]}"
    for stage, blocks in enumerate(STAGES, start=1)
    for block in range(blocks)
)

ENTRY = Entry(
    family="cnn",
    title="EfficientNetV2-B0",
    parameters=5_919_312,
    gflops=0.72,
    image_size=224,
    features=1280,
    blocks=len(BLOCKS),
    tune_blocks=5,
    tune_rate=3e-4,
    licence="Apache-2.0",
    paper="https://arxiv.org/abs/2104.00298",
    weights=Published(url=f"{PUBLISHER}/{FILE}", file=FILE, sha256=None),
)


def backbone(size: int) -> keras.Model:
    """float32 RGB (n, size, size, 3) in [-1, 1] → float32 (n, 1280)."""
    import keras  # here, not above: it takes 7 seconds, and ENTRY needs none of it

    from stages.zoo.parts import keras_application

    image = keras_application.image(size)
    network = keras.applications.EfficientNetV2B0(
        include_top=False,
        include_preprocessing=False,  # it would standardise pixels of 0 to 255
        weights=None,
        input_tensor=keras_application.standardised(image),
        input_shape=(size, size, 3),
        pooling="avg",
    )
    return keras_application.fixed(network, "efficientnet_v2_b0")


def cut(model: keras.Model, blocks: int) -> keras.KerasTensor:
    """Where the last `blocks` blocks begin; the head convolution belongs to the last one."""
    begin = first_block(ENTRY, blocks)
    return model.get_layer(f"{BLOCKS[begin]}_expand_conv").input if begin else model.input


def convert(file: Path, size: int) -> dict[str, np.ndarray]:
    """The published tensors as values of the backbone's variables, by path.

    Raises StudyError for a file that is not what was published.
    """
    from stages.zoo.parts import keras_application

    return keras_application.values(file, backbone(size))
