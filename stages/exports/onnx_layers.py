"""Keras's layers in ONNX: each function adds what one kind of layer does to a graph.

It takes the graph, the layer and the tensors that Keras would call the layer with, and returns the
tensor that comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import keras
import numpy as np

from stages.errors import StudyError
from stages.exports.onnx_graph import Graph, Tensor
from stages.networks.batch_norm_folding import NormedConvolution


def convolution(graph: Graph, layer: keras.layers.Layer, x: Tensor) -> Tensor:
    """With what follows it inside the layer: bias, activation, or normalisation folded in."""
    kernel, bias = _kernel_and_bias(layer)
    if isinstance(layer, NormedConvolution):
        layer = layer.convolution
    x = graph.channels_first(x)
    height, width, depth, filters = kernel.shape
    deep = isinstance(layer, keras.layers.DepthwiseConv2D)
    if deep:
        kernel, filters = kernel.reshape(height, width, 1, depth * filters), depth * filters
    sides = [
        _padding(layer.padding, length, reach, stride)
        for length, reach, stride in zip(x.shape, (height, width), layer.strides, strict=False)
    ]
    inputs = [x.name, kernel.transpose(3, 2, 0, 1)] + ([] if bias is None else [bias])
    name = graph.add(
        "Conv",
        *inputs,
        group=depth if deep else layer.groups,
        strides=list(layer.strides),
        pads=[sides[0][0], sides[1][0], sides[0][1], sides[1][1]],
    )
    lengths = [
        (length + sum(side) - reach) // stride + 1
        for length, side, reach, stride in zip(
            x.shape, sides, (height, width), layer.strides, strict=False
        )
    ]
    return Tensor(activated(graph, layer, name), (*lengths, filters), channels_first=True)


def _kernel_and_bias(layer: keras.layers.Layer) -> tuple[np.ndarray, np.ndarray | None]:
    """float32 kernel (h, w, in, out), (h, w, in, multiple) where it is depthwise; bias (out,)."""
    if not isinstance(layer, NormedConvolution):
        bias = layer.bias.numpy() if layer.use_bias else None
        return layer.kernel.numpy(), bias
    convolution, norm = layer.convolution, layer.norm
    scale, shift = scale_and_shift(norm)
    deep = isinstance(convolution, keras.layers.DepthwiseConv2D)
    kernel = convolution.kernel.numpy() * (scale[:, None] if deep else scale)
    return kernel.astype(np.float32), shift.astype(np.float32)


def scale_and_shift(norm: keras.layers.BatchNormalization) -> tuple[np.ndarray, np.ndarray]:
    """What fixed statistics do to each channel: two float64 (channels,)."""
    mean, variance = norm.moving_mean.numpy(), norm.moving_variance.numpy()
    scale = 1 / np.sqrt(variance.astype(np.float64) + norm.epsilon)
    scale = scale * norm.gamma.numpy() if norm.scale else scale
    return scale, (norm.beta.numpy() if norm.center else 0) - mean * scale


def _padding(padding: str, length: int, reach: int, stride: int) -> tuple[int, int]:
    """Zeros before and after, as TensorFlow's `same` has them: with a stride, more after."""
    if padding == "valid":
        return 0, 0
    total = max((-(-length // stride) - 1) * stride + reach - length, 0)
    return total // 2, total - total // 2


def activated(graph: Graph, layer: keras.layers.Layer, name: str) -> str:
    """The activation of a layer, after what it is applied to."""
    function = layer.activation.__name__
    if function == "linear":
        return name
    if function == "silu":
        return graph.add("Mul", name, graph.add("Sigmoid", name))
    if function == "relu6":
        return graph.add("Clip", name, np.float32(0), np.float32(6))
    if function == "hard_sigmoid":
        return graph.add("HardSigmoid", name, alpha=1 / 6, beta=0.5)
    plain = {"relu": "Relu", "gelu": "Gelu", "hard_silu": "HardSwish", "sigmoid": "Sigmoid"}
    if function not in plain:
        raise StudyError(f"{layer.name}: no form in ONNX for the activation {function}")
    return graph.add(plain[function], name)


def activation(graph: Graph, layer: keras.layers.Activation, x: Tensor) -> Tensor:
    return replace(x, name=activated(graph, layer, x.name))


def relu(graph: Graph, layer: keras.layers.ReLU, x: Tensor) -> Tensor:
    if layer.max_value is None:
        return replace(x, name=graph.add("Relu", x.name))
    limits = np.float32(0), np.float32(layer.max_value)
    return replace(x, name=graph.add("Clip", x.name, *limits))


def _per_channel(values: np.ndarray | Sequence | float, x: Tensor) -> np.ndarray:
    """Numbers for each channel, or one for all, in the shape that fits the tensor's layout."""
    values = np.asarray(values, np.float32)
    return values.reshape(-1, 1, 1) if x.channels_first and values.ndim else values


def _scaled(graph: Graph, x: Tensor, scale: object, shift: object) -> Tensor:
    name = graph.add("Mul", x.name, _per_channel(scale, x))
    return replace(x, name=graph.add("Add", name, _per_channel(shift, x)))


def rescaling(graph: Graph, layer: keras.layers.Rescaling, x: Tensor) -> Tensor:
    return _scaled(graph, x, layer.scale, layer.offset)


def batch_norm(graph: Graph, layer: keras.layers.BatchNormalization, x: Tensor) -> Tensor:
    return _scaled(graph, x, *scale_and_shift(layer))


def layer_norm(graph: Graph, layer: keras.layers.LayerNormalization, x: Tensor) -> Tensor:
    x = graph.channels_last(x)
    gamma, beta = layer.gamma.numpy(), layer.beta.numpy()
    name = graph.add(
        "LayerNormalization", x.name, gamma, beta, axis=-1, epsilon=float(layer.epsilon)
    )
    return replace(x, name=name)


def group_norm(graph: Graph, layer: keras.layers.GroupNormalization, x: Tensor) -> Tensor:
    """Each group of channels as one channel of an InstanceNormalization."""
    x = graph.channels_first(x)
    grouped = graph.add("Reshape", x.name, np.array([0, layer.groups, -1]))
    one, zero = np.ones(layer.groups, np.float32), np.zeros(layer.groups, np.float32)
    normed = graph.add("InstanceNormalization", grouped, one, zero, epsilon=float(layer.epsilon))
    height, width, channels = x.shape
    name = graph.add("Reshape", normed, np.array([0, channels, height, width]))
    return _scaled(graph, replace(x, name=name), layer.gamma.numpy(), layer.beta.numpy())


def dense(graph: Graph, layer: keras.layers.Dense, x: Tensor) -> Tensor:
    x = graph.channels_last(x)
    name = graph.add("MatMul", x.name, layer.kernel.numpy())
    if layer.use_bias:
        name = graph.add("Add", name, layer.bias.numpy())
    return Tensor(activated(graph, layer, name), (*x.shape[:-1], layer.units))


def joined(kind: str) -> Callable[..., Tensor]:
    """Sums and products of two tensors with as many axes, or of a tensor and a number."""

    def form(
        graph: Graph, layer: keras.Operation, *given: Tensor | float | Sequence[Tensor]
    ) -> Tensor:
        x, y = keras.tree.flatten(given)
        if not isinstance(y, Tensor):
            return replace(x, name=graph.add(kind, x.name, np.float32(y)))
        if x.channels_first != y.channels_first:
            x, y = graph.channels_last(x), graph.channels_last(y)
        shape = tuple(max(pair) for pair in zip(x.shape, y.shape, strict=True))
        return Tensor(graph.add(kind, x.name, y.name), shape, x.channels_first)

    return form


def concatenate(graph: Graph, layer: keras.layers.Concatenate, parts: Sequence[Tensor]) -> Tensor:
    """Along the channels."""
    first = all(part.channels_first for part in parts)
    parts = parts if first else [graph.channels_last(part) for part in parts]
    name = graph.add("Concat", *(part.name for part in parts), axis=1 if first else -1)
    channels = sum(part.shape[-1] for part in parts)
    return Tensor(name, (*parts[0].shape[:-1], channels), first)


def global_average(graph: Graph, layer: keras.layers.Layer, x: Tensor) -> Tensor:
    x = graph.channels_first(x)
    name = graph.add("GlobalAveragePool", x.name)
    if layer.keepdims:
        return Tensor(name, (1, 1, x.shape[-1]), channels_first=True)
    return Tensor(graph.add("Flatten", name), x.shape[-1:])


def max_pooling(graph: Graph, layer: keras.layers.MaxPooling2D, x: Tensor) -> Tensor:
    x = graph.channels_first(x)
    sides = [
        _padding(layer.padding, length, reach, stride)
        for length, reach, stride in zip(x.shape, layer.pool_size, layer.strides, strict=False)
    ]
    name = graph.add(
        "MaxPool",
        x.name,
        kernel_shape=list(layer.pool_size),
        strides=list(layer.strides),
        pads=[sides[0][0], sides[1][0], sides[0][1], sides[1][1]],
    )
    return Tensor(name, layer.compute_output_shape((None, *x.shape))[1:], channels_first=True)


def zero_padding(graph: Graph, layer: keras.layers.ZeroPadding2D, x: Tensor) -> Tensor:
    x = graph.channels_first(x)
    (top, bottom), (left, right) = layer.padding
    if not (top or bottom or left or right):
        return x
    name = graph.add("Pad", x.name, np.array([0, 0, top, left, 0, 0, bottom, right]))
    return Tensor(name, layer.compute_output_shape((None, *x.shape))[1:], channels_first=True)


def reshape(graph: Graph, layer: keras.layers.Reshape, x: Tensor) -> Tensor:
    x = graph.channels_last(x)
    shape = layer.compute_output_shape((None, *x.shape))[1:]
    return Tensor(graph.add("Reshape", x.name, np.array([-1, *shape])), shape)


def permute(graph: Graph, layer: keras.layers.Permute, x: Tensor) -> Tensor:
    x = graph.channels_last(x)
    name = graph.add("Transpose", x.name, perm=[0, *layer.dims])
    return Tensor(name, tuple(x.shape[axis - 1] for axis in layer.dims))


def identity(graph: Graph, layer: keras.layers.Layer, x: Tensor) -> Tensor:
    return x
