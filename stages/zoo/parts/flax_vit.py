"""Vision transformers that Google published: their part of the network, and their .npz files.

A. Dosovitskiy et al.: An Image is Worth 16x16 Words, 2020. The layers are vit-keras', and so are
the names: `Transformer_encoderblock_3` is `Transformer/encoderblock_3` of the file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from stages.errors import StudyError

if TYPE_CHECKING:
    import keras

Tensors = dict[str, np.ndarray]

PUBLISHER = "https://github.com/faustomorales/vit-keras/releases/download/dl"
POSITIONS = "Transformer_posembed_input/pos_embedding"


def base(name: str, patch: int, size: int) -> keras.Model:
    """ViT-B over patches of this size: float32 RGB (n, size, size, 3) → class token (n, 768)."""
    from vit_keras import vit  # here, not above: Keras takes 7 seconds, and ENTRY needs none of it

    shape = vit.CONFIG_B | {"dropout": 0.0}
    return vit.build_model(size, patch, name=name, classes=0, include_top=False, **shape)


def cut(model: keras.Model, begin: int) -> keras.KerasTensor:
    """Where block `begin` of a model takes its input; the model's own input for the first."""
    return model.get_layer(f"Transformer_encoderblock_{begin}").input if begin else model.input


def encoder(patches: keras.KerasTensor, layers: int, heads: int, wide: int) -> keras.KerasTensor:
    """Patch tokens (n, patches, width) → class token (n, width) after `layers` blocks.

    `wide` is the width of the layer between two of a block's perceptron.
    """
    import keras
    from vit_keras import layers as parts

    tokens = parts.ClassToken(name="class_token")(patches)
    tokens = parts.AddPositionEmbs(name="Transformer_posembed_input")(tokens)
    for layer in range(layers):
        block = parts.TransformerBlock(
            num_heads=heads, mlp_dim=wide, dropout=0.0, name=f"Transformer_encoderblock_{layer}"
        )
        tokens, _ = block(tokens)
    norm = keras.layers.LayerNormalization(epsilon=1e-6, name="Transformer_encoder_norm")
    return norm(tokens)[:, 0]


def values(published: Tensors, grid: int) -> Tensors:
    """The published tensors by path of the backbone's variables; all but the classifier.

    `grid` is the number of patches a side. Raises StudyError for a file without positions.
    """
    found = {
        _path(name): _joined_heads(name, tensor)
        for name, tensor in published.items()
        if name not in ("head/kernel", "head/bias")
    }
    if POSITIONS not in found:
        raise StudyError(f"the published file has no {POSITIONS.replace('_', '/', 1)}")
    return found | {POSITIONS: _resized(found[POSITIONS], grid)}


def _path(name: str) -> str:
    """`Transformer/encoderblock_0/LayerNorm_0/scale` → `Transformer_…_0/LayerNorm_0/gamma`."""
    if name == "cls":
        return "class_token/cls"
    path = name.replace("Transformer/", "Transformer_")
    path = re.sub(r"^(\w+)/(MlpBlock_3)/(Dense_\d)", r"\1/\2/\1_\3", path)
    path = re.sub(r"((?:LayerNorm_\d|encoder_norm)/)scale$", r"\1gamma", path)
    return re.sub(r"((?:LayerNorm_\d|encoder_norm)/)bias$", r"\1beta", path)


def _joined_heads(name: str, tensor: np.ndarray) -> np.ndarray:
    """Projections keep heads apart, (width, heads, part) or (heads, part, width): join them."""
    if "MultiHeadDotProductAttention_1" not in name:
        return tensor
    if name.endswith("/out/bias"):
        return tensor
    if name.endswith("/out/kernel"):
        return tensor.reshape(-1, tensor.shape[-1])
    return tensor.reshape(-1) if name.endswith("bias") else tensor.reshape(len(tensor), -1)


def _resized(positions: np.ndarray, grid: int) -> np.ndarray:
    """Positions (1, 1 + side², width), the first the class token's, for `grid` patches a side.

    As the publisher does it: linear, the corners of both grids at the same places.
    """
    side = round((positions.shape[1] - 1) ** 0.5)
    if positions.ndim != 3 or positions.shape[1] != 1 + side**2:
        raise StudyError(f"the published positions of shape {positions.shape} are no square grid")
    first, square = positions[:, :1], positions[0, 1:].reshape(side, side, -1)
    matrix = _linear(side, grid)
    resized = np.einsum("ia,jb,abc->ijc", matrix, matrix, square, optimize=True)
    patches = resized.reshape(1, grid**2, -1)
    return np.concatenate([first, patches], axis=1).astype(np.float32)


def _linear(old: int, new: int) -> np.ndarray:
    """(new, old): the weight of each old place at each new one."""
    places = np.linspace(0, old - 1, new)
    return np.maximum(0, 1 - abs(places[:, None] - np.arange(old)))
