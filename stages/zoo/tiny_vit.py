"""A transformer of three layers with seeded values: for tests, and to try the pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stages.zoo import Entry, first_block, require_multiple
from stages.zoo.parts import flax_vit

if TYPE_CHECKING:
    import keras

PATCH = 8

ENTRY = Entry(
    family="vit",
    title="Tiny ViT",
    parameters=10_080,
    gflops=0.00018,
    image_size=32,
    features=16,
    blocks=3,
    tune_blocks=1,
    tune_rate=1e-3,
    licence="Apache-2.0",
    paper="",
    weights=None,
)


def backbone(size: int) -> keras.Model:
    """float32 RGB (n, size, size, 3) in [-1, 1] → float32 (n, 16), the class token."""
    from vit_keras import vit  # here, not above: Keras takes 7 seconds, and ENTRY needs none of it

    require_multiple("tiny_vit", size, PATCH)
    return vit.build_model(
        image_size=size,
        patch_size=PATCH,
        num_layers=ENTRY.blocks,
        hidden_size=ENTRY.features,
        num_heads=2,
        name="tiny_vit",
        mlp_dim=32,
        classes=0,
        dropout=0.0,
        include_top=False,
    )


def cut(model: keras.Model, blocks: int) -> keras.KerasTensor:
    """Where the last `blocks` blocks begin."""
    return flax_vit.cut(model, first_block(ENTRY, blocks))


def convert(file: Path | None, size: int) -> dict[str, np.ndarray]:
    """Seeded values of the backbone's variables; there is no published file."""
    from stages.zoo.parts.seeded import seeded_values

    return seeded_values(backbone(size))
