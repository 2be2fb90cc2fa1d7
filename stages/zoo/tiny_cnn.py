"""Three convolutions with seeded values: for tests, and to try the pipeline in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stages.zoo import Entry, first_block

if TYPE_CHECKING:
    import keras

FILTERS = (8, 16, 32)

ENTRY = Entry(
    family="cnn",
    title="Tiny CNN",
    parameters=6_200,
    gflops=0.0002,
    image_size=32,
    features=FILTERS[-1],
    blocks=len(FILTERS),
    tune_blocks=1,
    tune_rate=1e-3,
    licence="Apache-2.0",
    paper="",
    weights=None,
)


def backbone(size: int) -> keras.Model:
    """float32 RGB (n, size, size, 3) in [-1, 1] → float32 (n, 32)."""
    import keras  # here, not above: it takes 7 seconds, and ENTRY needs none of it

    from stages.zoo.parts.fixed_batch_norm import FixedBatchNorm

    x = image = keras.Input((size, size, 3), name="image")
    for block, filters in enumerate(FILTERS):
        x = keras.layers.Conv2D(
            filters, 3, strides=2, padding="same", use_bias=False, name=f"block{block}_conv"
        )(x)
        x = FixedBatchNorm(name=f"block{block}_norm")(x)
        x = keras.layers.ReLU(6.0, name=f"block{block}_relu")(x)
    return keras.Model(image, keras.layers.GlobalAveragePooling2D(name="pool")(x), name="tiny_cnn")


def cut(model: keras.Model, blocks: int) -> keras.KerasTensor:
    """Where the last `blocks` blocks begin."""
    return model.get_layer(f"block{first_block(ENTRY, blocks)}_conv").input


def convert(file: Path | None, size: int) -> dict[str, np.ndarray]:
    """Seeded values of the backbone's variables; there is no published file."""
    from stages.zoo.parts.seeded import seeded_values

    return seeded_values(backbone(size))
