"""ViT-B/32, the study's transformer: 12 layers over patches of 32 pixels.

A. Dosovitskiy et al.: An Image is Worth 16x16 Words, 2020. Network and weights (ImageNet-21k, then
ImageNet-1k at 384 pixels) are vit-keras'.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stages.zoo import Entry, Published, first_block, require_multiple
from stages.zoo.parts import flax_vit
from stages.zoo.parts.npz_file import read_npz

if TYPE_CHECKING:
    import keras
    import numpy as np

FILE = "ViT-B_32_imagenet21k+imagenet2012.npz"
PATCH = 32

ENTRY = Entry(
    family="vit",
    title="ViT-B/32",
    parameters=87_455_232,
    gflops=4.41,
    image_size=224,
    features=768,
    blocks=12,
    tune_blocks=4,
    tune_rate=3e-5,
    licence="Apache-2.0",
    paper="https://arxiv.org/abs/2010.11929",
    weights=Published(url=f"{flax_vit.PUBLISHER}/{FILE}", file=FILE, sha256=None),
)


def backbone(size: int) -> keras.Model:
    """float32 RGB (n, size, size, 3) in [-1, 1] → float32 (n, 768), the class token."""
    require_multiple("vit_b32", size, PATCH)
    return flax_vit.base("vit_b32", PATCH, size)


def cut(model: keras.Model, blocks: int) -> keras.KerasTensor:
    """Where the last `blocks` blocks begin; the final normalisation belongs to the last one."""
    return flax_vit.cut(model, first_block(ENTRY, blocks))


def convert(file: Path, size: int) -> dict[str, np.ndarray]:
    """The published tensors as values of the backbone's variables, by path; all but the classifier.

    Raises StudyError for a file that is not what was published.
    """
    return flax_vit.values(read_npz(file), size // PATCH)
