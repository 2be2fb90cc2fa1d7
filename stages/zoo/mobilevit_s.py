"""MobileViT-S, a hybrid: MobileNetV2's blocks, and transformers over what they see.

S. Mehta, M. Rastegari: MobileViT, 2021. The weights (ImageNet-1k) are the authors', in the file
that timm made of them (channels from BGR to RGB).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from stages.errors import StudyError
from stages.zoo import Entry, Published, first_block, require_multiple

if TYPE_CHECKING:
    import keras

STRIDE, HEADS = 32, 4

# Table 4 of the paper, block by block: filters and stride of an inverted residual, or width and
# layers of a MobileViT block. Names are timm's: stage and number in it.
BLOCKS = {
    "stages_0_0": (32, 1),
    "stages_1_0": (64, 2),
    "stages_1_1": (64, 1),
    "stages_1_2": (64, 1),
    "stages_2_0": (96, 2),
    "stages_2_1": (144, 2),
    "stages_3_0": (128, 2),
    "stages_3_1": (192, 4),
    "stages_4_0": (160, 2),
    "stages_4_1": (240, 3),
}
TRANSFORMERS = ("stages_2_1", "stages_3_1", "stages_4_1")

ENTRY = Entry(
    family="hybrid",
    title="MobileViT-S",
    parameters=4_949_888,
    gflops=2.0,
    image_size=256,
    features=640,
    blocks=len(BLOCKS),
    tune_blocks=3,
    tune_rate=3e-4,
    licence="Apple-Sample-Code",
    paper="https://arxiv.org/abs/2110.02178",
    weights=Published(
        url="https://huggingface.co/timm/mobilevit_s.cvnets_in1k/resolve/main/model.safetensors",
        file="mobilevit_s.cvnets_in1k.safetensors",
        sha256=None,
    ),
)


def backbone(size: int) -> keras.Model:
    """float32 RGB (n, size, size, 3) in [-1, 1] → float32 (n, 640)."""
    import keras  # here, not above: it takes 7 seconds, and ENTRY needs none of it

    require_multiple("mobilevit_s", size, STRIDE)
    image = keras.Input((size, size, 3), name="image")
    x = keras.layers.Rescaling(0.5, 0.5, name="rescale")(image)  # the published one takes [0, 1]
    x = _normed_conv(x, "stem", 16, kernel=3, stride=2)
    for name, (width, number) in BLOCKS.items():
        block = _mobilevit_block if name in TRANSFORMERS else _inverted_residual
        x = block(x, name, width, number)
    x = _normed_conv(x, "final_conv", ENTRY.features)
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, pooled, name="mobilevit_s")


def _normed_conv(
    x: keras.KerasTensor, name: str, filters: int | None, kernel=1, stride=1, linear=False
) -> keras.KerasTensor:
    """A convolution, depthwise where no number of filters is given, normalised, SiLU."""
    import keras

    from stages.zoo.parts.fixed_batch_norm import FixedBatchNorm

    x = keras.layers.ZeroPadding2D(kernel // 2)(x)  # on all sides, also before a stride
    shape = {"kernel_size": kernel, "strides": stride, "use_bias": False, "name": f"{name}_conv"}
    layer = keras.layers
    x = (layer.Conv2D(filters, **shape) if filters else layer.DepthwiseConv2D(**shape))(x)
    x = FixedBatchNorm(epsilon=1e-5, name=f"{name}_bn")(x)
    return x if linear else layer.Activation("silu")(x)


def _inverted_residual(
    x: keras.KerasTensor, name: str, filters: int, stride: int
) -> keras.KerasTensor:
    """Widen by four, filter each channel, narrow; (n, h, w, c) → (n, h/s, w/s, filters)."""
    import keras

    y = _normed_conv(x, f"{name}_conv1_1x1", 4 * x.shape[-1])
    y = _normed_conv(y, f"{name}_conv2_kxk", None, kernel=3, stride=stride)
    y = _normed_conv(y, f"{name}_conv3_1x1", filters, linear=True)
    same = stride == 1 and filters == x.shape[-1]
    last = keras.layers.Add if same else keras.layers.Identity
    return last(name=f"{name}_out")([x, y] if same else y)


def _mobilevit_block(x: keras.KerasTensor, name: str, width: int, layers: int) -> keras.KerasTensor:
    """Each pixel of a 2 × 2 patch attends to that pixel of all patches; (n, h, w, c) stays."""
    import keras

    height, channels = x.shape[1], x.shape[-1]
    even = height + height % 2
    y = _normed_conv(x, f"{name}_conv_kxk", channels, kernel=3)
    y = keras.layers.Conv2D(width, 1, use_bias=False, name=f"{name}_conv_1x1")(y)
    y = y if even == height else keras.layers.Resizing(even, even)(y)
    y = keras.layers.Reshape((even // 2, 2, even // 2, 2, width))(y)
    y = keras.layers.Permute((2, 4, 1, 3, 5))(y)
    y = keras.layers.Reshape((4, even**2 // 4, width))(y)
    for layer in range(layers):
        y = _attention(y, f"{name}_transformer_{layer}", width)
    y = _norm(y, f"{name}_norm")
    y = keras.layers.Reshape((2, 2, even // 2, even // 2, width))(y)
    y = keras.layers.Permute((3, 1, 4, 2, 5))(y)
    y = keras.layers.Reshape((even, even, width))(y)
    y = y if even == height else keras.layers.Resizing(height, height)(y)
    y = _normed_conv(y, f"{name}_conv_proj", channels)
    y = keras.layers.Concatenate()([x, y])
    y = _normed_conv(y, f"{name}_conv_fusion", channels, kernel=3)
    return keras.layers.Identity(name=f"{name}_out")(y)


def _attention(x: keras.KerasTensor, name: str, width: int) -> keras.KerasTensor:
    """A layer of a transformer: (n, 4, patches, width) stays, attention along the patches."""
    import keras

    y = _norm(x, f"{name}_norm1")
    attention = keras.layers.MultiHeadAttention(
        HEADS, width // HEADS, attention_axes=(2,), name=f"{name}_attn"
    )
    x = keras.layers.Add()([x, attention(y, y)])
    y = _norm(x, f"{name}_norm2")
    y = keras.layers.Dense(2 * width, activation="silu", name=f"{name}_mlp_fc1")(y)
    return keras.layers.Add()([x, keras.layers.Dense(width, name=f"{name}_mlp_fc2")(y)])


def _norm(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    import keras

    return keras.layers.LayerNormalization(epsilon=1e-5, name=name)(x)


def cut(model: keras.Model, blocks: int) -> keras.KerasTensor:
    """Where the last `blocks` blocks begin; the final convolution belongs to the last one."""
    begin = first_block(ENTRY, blocks)
    return model.get_layer(f"{[*BLOCKS][begin - 1]}_out").output if begin else model.input


def convert(file: Path, size: int) -> dict[str, np.ndarray]:
    """The published tensors as values of the backbone's variables, by path; all but the classifier.

    Raises StudyError for a file that is not what was published.
    """
    try:
        published = load_file(file)
    except SafetensorError as error:
        raise StudyError(f"{file} is damaged or no safetensors file: {error}") from None
    values = {}
    for name, tensor in published.items():
        if not name.startswith("head.") and not name.endswith(".num_batches_tracked"):
            values |= _converted(name, tensor)
    return values


def _converted(name: str, tensor: np.ndarray) -> dict[str, np.ndarray]:
    """`stages.0.0.conv1_1x1.bn.running_var` → `stages_0_0_conv1_1x1_bn/moving_variance`."""
    layer, _, part = name.rpartition(".")
    layer = layer.replace(".", "_")
    if layer.endswith("_attn_qkv"):
        return _heads(layer.removesuffix("_qkv"), part, tensor)
    if layer.endswith("_attn_proj"):
        layer = f"{layer.removesuffix('_proj')}/attention_output"
        tensor = tensor.T.reshape(HEADS, -1, len(tensor)) if part == "weight" else tensor
        return {f"{layer}/{'kernel' if part == 'weight' else 'bias'}": tensor}
    norm = re.search(r"(_bn|_norm\d?)$", layer)
    parts = {
        "weight": "gamma" if norm else "kernel",
        "bias": "beta" if norm else "bias",
        "running_mean": "moving_mean",
        "running_var": "moving_variance",
    }
    return {f"{layer}/{parts.get(part, part)}": _in_keras_order(layer, tensor)}


def _heads(layer: str, part: str, tensor: np.ndarray) -> dict[str, np.ndarray]:
    """Queries, keys and values of all heads in one (3 · width, width) → (width, heads, …) each."""
    names = (f"{layer}/{role}" for role in ("query", "key", "value"))
    thirds = zip(names, np.split(tensor, 3), strict=True)
    if part == "bias":
        return {f"{name}/bias": third.reshape(HEADS, -1) for name, third in thirds}
    return {f"{name}/kernel": third.T.reshape(len(third), HEADS, -1) for name, third in thirds}


def _in_keras_order(layer: str, tensor: np.ndarray) -> np.ndarray:
    """Kernels (out, in, h, w) → (h, w, in, out), depthwise (h, w, c, 1); matrices transposed."""
    if tensor.ndim == 4:
        axes = (2, 3, 0, 1) if layer.endswith("_conv2_kxk_conv") else (2, 3, 1, 0)
        return tensor.transpose(axes)
    return tensor.T
