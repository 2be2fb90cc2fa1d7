"""Transformer layers in ONNX: tokens, attention, blocks. As in onnx_layers, a function for each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import keras
import numpy as np

from stages.errors import StudyError
from stages.exports.onnx_graph import Graph, Tensor
from stages.exports.onnx_layers import dense, layer_norm


@dataclass(frozen=True)
class Projections:
    """float32 kernels (width, inner) with biases (inner,), and back: (inner, width), (width,)."""

    query: tuple[np.ndarray, np.ndarray]
    key: tuple[np.ndarray, np.ndarray]
    value: tuple[np.ndarray, np.ndarray]
    output: tuple[np.ndarray, np.ndarray]


def class_token(graph: Graph, layer: keras.layers.Layer, x: Tensor) -> Tensor:
    """One more token, the same for every picture, before the others."""
    pictures = graph.add("Shape", x.name, start=0, end=1)
    shape = graph.add("Concat", pictures, np.array([1, x.shape[-1]]), axis=0)
    token = graph.add("Expand", layer.cls.numpy(), shape)
    return Tensor(graph.add("Concat", token, x.name, axis=1), (x.shape[0] + 1, x.shape[1]))


def positions(graph: Graph, layer: keras.layers.Layer, x: Tensor) -> Tensor:
    return replace(x, name=graph.add("Add", x.name, layer.pe.numpy()))


def first_token(graph: Graph, layer: keras.layers.Lambda, x: Tensor) -> Tensor:
    """The one function without a name of its own in vit-keras. Raises StudyError for another."""
    if layer.name != "ExtractToken":
        raise StudyError(f"{layer.name} is a function of its own, which has no form in ONNX here")
    return item(graph, layer, x, (slice(None), 0))


def item(graph: Graph, layer: keras.Operation, x: Tensor, key: tuple) -> Tensor:
    """`x[:, 0]`, the first token, or `x[:, start:]`. Raises StudyError for what is neither."""
    count, width = x.shape
    match key:
        case (slice(start=None, stop=None), 0):
            return Tensor(graph.add("Gather", x.name, np.array(0), axis=1), (width,))
        case (slice(start=None, stop=None), slice(start=int(start), stop=None, step=None)):
            ends = np.array([start]), np.array([count]), np.array([1])
            return Tensor(graph.add("Slice", x.name, *ends), (count - start, width))
    raise StudyError(f"{layer.name} takes the part {key}, for which there is no form in ONNX here")


def mean(graph: Graph, layer: keras.Operation, x: Tensor) -> Tensor:
    """Over the tokens."""
    name = graph.add("ReduceMean", x.name, np.array([1]), keepdims=0)
    return Tensor(name, x.shape[1:])


def transformer_block(graph: Graph, layer: keras.layers.Layer, x: Tensor) -> Tensor:
    """vit-keras': attention and perceptron, each normalised before and added to what came in."""
    own = layer.att
    parts = own.query_dense, own.key_dense, own.value_dense, own.combine_heads
    projections = Projections(*((part.kernel.numpy(), part.bias.numpy()) for part in parts))
    attended = attention(graph, layer_norm(graph, layer.layernorm1, x), own.num_heads, projections)
    x = replace(x, name=graph.add("Add", attended.name, x.name))
    y = layer_norm(graph, layer.layernorm2, x)
    wide, _, _, narrow, _ = layer.mlpblock.layers
    y = dense(graph, wide, y)
    y = dense(graph, narrow, replace(y, name=graph.add("Gelu", y.name)))
    return replace(x, name=graph.add("Add", x.name, y.name))


def multi_head(
    graph: Graph, layer: keras.layers.MultiHeadAttention, query: Tensor, value: Tensor
) -> Tensor:
    """Keras': it keeps heads apart in its kernels. Raises StudyError where it is not to itself."""
    if query != value:
        raise StudyError(f"{layer.name} attends to other tokens, which has no form in ONNX here")
    width = query.shape[-1]
    *inner, output = (
        (part.kernel.numpy(), part.bias.numpy())
        for part in (layer._query_dense, layer._key_dense, layer._value_dense, layer._output_dense)
    )
    inner = [(kernel.reshape(width, -1), bias.reshape(-1)) for kernel, bias in inner]
    projections = Projections(*inner, (output[0].reshape(-1, width), output[1]))
    return attention(graph, graph.channels_last(query), layer.num_heads, projections)


def attention(graph: Graph, x: Tensor, heads: int, own: Projections) -> Tensor:
    """Scaled dot products between the tokens (…, tokens, width) of each picture; same shape.

    The three projections are one matrix product, the scale is in the one of the queries.
    """
    *ahead, tokens, _ = x.shape
    inner = own.query[0].shape[1]
    scale = np.float32((inner // heads) ** -0.5)
    parts = [[scale * part for part in own.query], own.key, own.value]
    kernel, bias = (np.concatenate(each, axis=-1) for each in zip(*parts, strict=True))
    joined = graph.add("Add", graph.add("MatMul", x.name, kernel), bias)
    split = np.array([0, *ahead, tokens, 3, heads, inner // heads])
    joined = graph.add("Reshape", joined, split)
    axes = range(1, 1 + len(ahead))  # (n, …, tokens, 3, heads, part)
    token, three, head, part = range(1 + len(ahead), 5 + len(ahead))
    apart = graph.add("Transpose", joined, perm=[three, 0, *axes, head, token, part])
    query, key, value = (graph.add("Gather", apart, np.array(one), axis=0) for one in range(3))
    last = [*range(2 + len(ahead)), 3 + len(ahead), 2 + len(ahead)]
    scores = graph.add("MatMul", query, graph.add("Transpose", key, perm=last))
    mixed = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), value)
    back = [0, *axes, 2 + len(ahead), 1 + len(ahead), 3 + len(ahead)]
    mixed = graph.add("Transpose", mixed, perm=back)
    mixed = graph.add("Reshape", mixed, np.array([0, *ahead, tokens, inner]))
    output = graph.add("Add", graph.add("MatMul", mixed, own.output[0]), own.output[1])
    return replace(x, name=output)
