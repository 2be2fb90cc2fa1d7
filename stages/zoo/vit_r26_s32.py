"""R26 + ViT-S/32, a hybrid: a ResNet of 26 layers makes the tokens of a small transformer.

A. Steiner et al.: How to train your ViT?, 2021 ("AugReg"). The weights (ImageNet-21k, then
ImageNet-1k) are the authors'. The ResNet is that of A. Kolesnikov et al.: Big Transfer, 2019, with
group normalisation and standardised kernels, normalised after each convolution.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stages.zoo import Entry, Published, first_block, require_multiple

if TYPE_CHECKING:
    import keras

PUBLISHER = "https://storage.googleapis.com/vit_models/augreg"
FILE = (
    "R26_S_32-i21k-300ep-lr_0.001-aug_light0-wd_0.03-do_0.1-sd_0.1"
    "--imagenet2012-steps_20k-lr_0.03-res_224.npz"
)
STRIDE, WIDTH, LAYERS = 32, 384, 12
STAGES = (64, 128, 256, 512)  # inner channels of two units each
UNITS = tuple(f"block{stage}/unit{unit}" for stage in (1, 2, 3, 4) for unit in (1, 2))

ENTRY = Entry(
    family="hybrid",
    title="R26 + ViT-S/32",
    parameters=36_046_912,
    gflops=3.46,
    image_size=224,
    features=WIDTH,
    blocks=len(UNITS) + LAYERS,
    tune_blocks=4,
    tune_rate=1e-4,
    licence="Apache-2.0",
    paper="https://arxiv.org/abs/2106.10270",
    weights=Published(url=f"{PUBLISHER}/{FILE}", file=FILE, sha256=None),
)


def backbone(size: int) -> keras.Model:
    """float32 RGB (n, size, size, 3) in [-1, 1] → float32 (n, 384), the class token."""
    import keras  # here, not above: it takes 7 seconds, and ENTRY needs none of it

    from stages.zoo.parts import flax_vit

    require_multiple("vit_r26_s32", size, STRIDE)
    image = keras.Input((size, size, 3), name="image")
    x = keras.layers.ReLU()(_normed_conv(image, "conv_root", "gn_root", 64, kernel=7, stride=2))
    x = keras.layers.MaxPooling2D(3, strides=2, padding="same")(x)
    for number, unit in enumerate(UNITS):
        stage, second = divmod(number, 2)
        x = _bottleneck(x, unit.replace("/", "_"), STAGES[stage], 2 if stage and not second else 1)
    x = keras.layers.Conv2D(WIDTH, 1, name="embedding")(x)
    tokens = keras.layers.Reshape((-1, WIDTH))(x)  # (n, (size / 32)², 384)
    return keras.Model(image, flax_vit.encoder(tokens, LAYERS, 6, 4 * WIDTH), name="vit_r26_s32")


def _bottleneck(x: keras.KerasTensor, name: str, channels: int, stride: int) -> keras.KerasTensor:
    """Narrow, filter, widen, and add what came in: (n, h, w, c) → (n, h/s, w/s, 4 · channels)."""
    import keras

    start, wide = x, 4 * channels
    if stride > 1 or x.shape[-1] != wide:
        start = _normed_conv(x, f"{name}_conv_proj", f"{name}_gn_proj", wide, stride=stride)
    y = keras.layers.ReLU()(_normed_conv(x, f"{name}_conv1", f"{name}_gn1", channels))
    y = _normed_conv(y, f"{name}_conv2", f"{name}_gn2", channels, kernel=3, stride=stride)
    y = _normed_conv(keras.layers.ReLU()(y), f"{name}_conv3", f"{name}_gn3", wide)
    return keras.layers.ReLU(name=f"{name}_relu")(keras.layers.Add()([start, y]))


def _normed_conv(
    x: keras.KerasTensor, conv: str, norm: str, filters: int, kernel: int = 1, stride: int = 1
) -> keras.KerasTensor:
    import keras

    layer = keras.layers.Conv2D(
        filters, kernel, strides=stride, padding="same", use_bias=False, name=conv
    )
    return keras.layers.GroupNormalization(32, epsilon=1e-6, name=norm)(layer(x))


def cut(model: keras.Model, blocks: int) -> keras.KerasTensor:
    """Where the last `blocks` blocks begin: units of the ResNet, then layers of the transformer.

    The embedding belongs to the first layer, the final normalisation to the last one.
    """
    begin = first_block(ENTRY, blocks)
    if begin == 0:
        return model.input
    if begin < len(UNITS):
        return model.get_layer(f"{UNITS[begin - 1].replace('/', '_')}_relu").output
    layer = begin - len(UNITS)
    return model.get_layer(f"Transformer_encoderblock_{layer}" if layer else "embedding").input


def convert(file: Path, size: int) -> dict[str, np.ndarray]:
    """The published tensors as values of the backbone's variables, by path; all but the classifier.

    Raises StudyError for a file that is not what was published.
    """
    from stages.zoo.parts import flax_vit
    from stages.zoo.parts.npz_file import read_npz

    published = {_flat(name): _plain(name, tensor) for name, tensor in read_npz(file).items()}
    return flax_vit.values(published, size // STRIDE)


def _flat(name: str) -> str:
    """`block1/unit2/gn3/scale` → `block1_unit2_gn3/gamma`; what is not the ResNet's as it is."""
    name = re.sub(r"^(block\d)/(unit\d)/", r"\1_\2_", name)
    name = re.sub(r"(gn_?\w+)/scale$", r"\1/gamma", name)
    return re.sub(r"(gn_?\w+)/bias$", r"\1/beta", name)


def _plain(name: str, tensor: np.ndarray) -> np.ndarray:
    """Kernels standardised per filter as the authors' network does at each call.

    Done once and for all: training moves plain kernels then.
    """
    if re.search(r"/gn\w+/|^gn_root/", name):
        return tensor.reshape(-1)  # published as (1, 1, 1, c)
    if not re.search(r"/conv\w+/|^conv_root/", name):
        return tensor
    centred = tensor.astype(np.float64) - tensor.mean(axis=(0, 1, 2), dtype=np.float64)
    return (centred / (centred.std(axis=(0, 1, 2)) + 1e-5)).astype(np.float32)
