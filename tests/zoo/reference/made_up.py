"""Weight files laid out as their publishers lay them out, with made-up values.

The files themselves are out of reach of a test. What a file holds is a function of its tensors'
names and shapes alone, so that another environment makes the same one (tests/zoo/parity).
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

Shape = tuple[int, ...]
Tensors = dict[str, np.ndarray]


def vit(patch: Shape, width: int, layers: int, heads: int, grid: int) -> dict[str, Shape]:
    """A transformer in Flax's names; `patch` is its kernel's shape but for the last length."""
    shapes = {
        "cls": (1, 1, width),
        "embedding/kernel": (*patch, width),
        "embedding/bias": (width,),
        "head/kernel": (width, 1000),
        "head/bias": (1000,),
        "Transformer/posembed_input/pos_embedding": (1, 1 + grid**2, width),
        **_norm("Transformer/encoder_norm", (width,)),
    }
    part = width // heads
    for layer in range(layers):
        block = f"Transformer/encoderblock_{layer}"
        attention = f"{block}/MultiHeadDotProductAttention_1"
        shapes |= _norm(f"{block}/LayerNorm_0", (width,)) | _norm(f"{block}/LayerNorm_2", (width,))
        for role in ("query", "key", "value"):
            shapes[f"{attention}/{role}/kernel"] = (width, heads, part)
            shapes[f"{attention}/{role}/bias"] = (heads, part)
        shapes[f"{attention}/out/kernel"] = (heads, part, width)
        shapes[f"{attention}/out/bias"] = (width,)
        for dense, (into, out) in enumerate(((width, 4 * width), (4 * width, width))):
            shapes[f"{block}/MlpBlock_3/Dense_{dense}/kernel"] = (into, out)
            shapes[f"{block}/MlpBlock_3/Dense_{dense}/bias"] = (out,)
    return shapes


def _norm(name: str, shape: Shape) -> dict[str, Shape]:
    return {f"{name}/scale": shape, f"{name}/bias": shape}


def resnet26() -> dict[str, Shape]:
    """The ResNet below R26 + ViT-S/32, in Flax's names."""
    shapes = {"conv_root/kernel": (7, 7, 3, 64), **_norm("gn_root", (1, 1, 1, 64))}
    channels = 64
    for stage, inner in enumerate((64, 128, 256, 512), start=1):
        for unit in (1, 2):
            name, wide = f"block{stage}/unit{unit}", 4 * inner
            convs = {
                "1": (1, 1, channels, inner),
                "2": (3, 3, inner, inner),
                "3": (1, 1, inner, wide),
            }
            if channels != wide:
                convs["_proj"] = (1, 1, channels, wide)
            for conv, shape in convs.items():
                shapes[f"{name}/conv{conv}/kernel"] = shape
                shapes |= _norm(f"{name}/gn{conv}", (1, 1, 1, shape[-1]))
            channels = wide
    return shapes


def mobilevit() -> dict[str, Shape]:
    """MobileViT-S in timm's names."""
    shapes = _conv("stem", 16, 3, 3) | _conv("final_conv", 640, 160, 1)
    shapes |= {"head.fc.weight": (1000, 640), "head.fc.bias": (1000,)}
    residuals = {"0.0": (16, 32), "1.0": (32, 64), "1.1": (64, 64), "1.2": (64, 64)}
    residuals |= {"2.0": (64, 96), "3.0": (96, 128), "4.0": (128, 160)}
    for block, (into, out) in residuals.items():
        name = f"stages.{block}"
        shapes |= _conv(f"{name}.conv1_1x1", 4 * into, into, 1)
        shapes |= _conv(f"{name}.conv2_kxk", 4 * into, 1, 3)
        shapes |= _conv(f"{name}.conv3_1x1", out, 4 * into, 1)
    for block, (channels, width, layers) in {
        "2.1": (96, 144, 2),
        "3.1": (128, 192, 4),
        "4.1": (160, 240, 3),
    }.items():
        name = f"stages.{block}"
        shapes |= _conv(f"{name}.conv_kxk", channels, channels, 3)
        shapes[f"{name}.conv_1x1.weight"] = (width, channels, 1, 1)
        for layer in range(layers):
            shapes |= _torch_layer(f"{name}.transformer.{layer}", width)
        shapes |= _linear(f"{name}.norm", width)
        shapes |= _conv(f"{name}.conv_proj", channels, width, 1)
        shapes |= _conv(f"{name}.conv_fusion", channels, 2 * channels, 3)
    return shapes


def _conv(name: str, out: int, into: int, kernel: int) -> dict[str, Shape]:
    statistics = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.conv.weight": (out, into, kernel, kernel)} | {
        f"{name}.bn.{part}": (out,) for part in statistics
    }


def _torch_layer(name: str, width: int) -> dict[str, Shape]:
    return {
        **_linear(f"{name}.norm1", width),
        **_linear(f"{name}.attn.qkv", 3 * width, width),
        **_linear(f"{name}.attn.proj", width, width),
        **_linear(f"{name}.norm2", width),
        **_linear(f"{name}.mlp.fc1", 2 * width, width),
        **_linear(f"{name}.mlp.fc2", width, 2 * width),
    }


def _linear(name: str, *shape: int) -> dict[str, Shape]:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


LAYOUTS: dict[str, Callable[[], dict[str, Shape]]] = {
    "vit_b32": lambda: vit((32, 32, 3), 768, 12, 12, grid=12),
    "vit_b16": lambda: vit((16, 16, 3), 768, 12, 12, grid=24),
    "vit_r26_s32": lambda: resnet26() | vit((1, 1, 2048), 384, 12, 6, grid=7),
    "mobilevit_s": mobilevit,
}


def tensors(network: str) -> Tensors:
    """What the published file of a network would hold."""
    return {name: _value(name, shape) for name, shape in LAYOUTS[network]().items()}


def _value(name: str, shape: Shape) -> np.ndarray:
    draw = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape, np.float32)
    if name.endswith("running_var"):
        return 0.5 + np.abs(draw)
    if re.search(r"(/scale|(norm\d?|bn)\.weight)$", name):
        return 1 + np.float32(0.2) * draw
    if len(shape) == 1 or name.endswith(("bias", "cls", "pos_embedding")):
        return np.float32(0.2) * draw
    if re.search(r"conv\w+/kernel$", name):  # standardised by the network: the scale is lost
        return draw
    # Between convolutions, SiLU and made-up statistics weaken a signal, and little of a picture
    # would come through.
    gain = 1.4 if "conv" in name or "stem" in name else 1
    return draw * np.float32(gain / math.sqrt(_inputs(name, shape)))


def _inputs(name: str, shape: Shape) -> int:
    """Numbers that each output of a kernel sums."""
    if "/" not in name:
        return math.prod(shape[1:])  # PyTorch's kernels begin with the outputs
    return shape[0] if re.search("query|key|value", name) else math.prod(shape[:-1])


def variable(path: str, shape: Shape) -> np.ndarray:
    """A value for a variable of Keras, a function of its path and shape alone."""
    draw = np.random.default_rng(zlib.crc32(path.encode())).standard_normal(shape, np.float32)
    if path.endswith(("gamma", "moving_variance")):
        return 1 + np.float32(0.2) * np.abs(draw)
    if not path.endswith("kernel"):
        return np.float32(0.2) * draw
    depthwise = len(shape) == 4 and shape[-1] == 1
    return draw * np.float32(1 / math.sqrt(math.prod(shape[:2] if depthwise else shape[:-1])))


def write(file: Path, values: Tensors) -> None:
    """In the format that the file's suffix says."""
    if file.suffix == ".npz":
        np.savez(file, **values)
    else:
        save_file(values, file)
