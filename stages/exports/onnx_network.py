"""A trained network as ONNX: uint8 pixels → probabilities, in one graph that needs no more.

Layer by layer and not through tf2onnx: docs/decisions.md says what that took and gave. A kind of
layer that is missing here ends the export with its name, so that no network is exported wrongly.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import onnx
from onnx import TensorProto

from stages.errors import StudyError
from stages.exports import onnx_attention as attention
from stages.exports import onnx_layers as layers
from stages.exports.onnx_graph import Graph, Tensor
from stages.networks.batch_norm_folding import folded

Form = Callable[..., Tensor]


def onnx_network(network: keras.Model, temperature: float, name: str) -> onnx.ModelProto:
    """uint8 RGB `pixels` (n, size, size, 3) → float32 `probabilities` (n, classes).

    `network` is a backbone and a head, as `models.load_trained` gives it. The standardisation of
    the head and the temperature are folded into its kernel. Raises StudyError for a layer of a
    kind that has no form here.
    """
    *_, last, head = network.operations  # not `layers`: a slice is none
    backbone = keras.Model(network.input, last.output)
    graph = Graph()
    pixels = Tensor("pixels", backbone.input_shape[1:])
    scaled = graph.add("Cast", pixels.name, to=TensorProto.FLOAT)
    scaled = graph.add("Mul", scaled, np.float32(1 / 127.5))
    image = Tensor(graph.add("Sub", scaled, np.float32(1)), pixels.shape)
    features = emit(graph, folded(backbone), image)
    kernel, bias = head_at(head, temperature)
    logits = graph.add("Gemm", features.name, kernel, bias)
    graph.add_named("probabilities", "Softmax", logits, axis=-1)
    return graph.model(pixels, Tensor("probabilities", kernel.shape[1:]), name)


def head_at(head: keras.Model, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Kernel (features, classes) and bias (classes,) of a head as one float32 product."""
    norm, logits = (head.get_layer(name) for name in ("standardise", "logits"))
    mean, variance = (
        part.numpy().astype(np.float64).ravel() for part in (norm.mean, norm.variance)
    )
    deviation = np.maximum(np.sqrt(variance), keras.config.epsilon())  # as the layer has it
    kernel = logits.kernel.numpy() / deviation[:, None] / temperature
    bias = logits.bias.numpy() / temperature - mean @ kernel
    return kernel.astype(np.float32), bias.astype(np.float32)


def emit(graph: Graph, network: keras.Model, taken: Tensor) -> Tensor:
    """Add a functional network to a graph, from the tensor that it takes to the one that it gives.

    Raises StudyError for a layer of a kind that has no form here.
    """

    def form(layer: keras.Operation) -> Form:
        write = form_of(layer)
        return lambda *inputs, **_: write(graph, layer, *inputs)

    # What Keras itself goes through a graph with. A public `clone_model` calls every layer again.
    return network._run_through_graph(taken, operation_fn=form)


def form_of(layer: keras.Operation) -> Form:
    """How a layer is written: a function of the graph, the layer and the tensors that it takes."""
    kind = type(layer).__name__
    if kind not in FORMS:
        raise StudyError(f"{layer.name} is a {kind}, for which there is no form in ONNX here")
    return FORMS[kind]


def _sequence(graph: Graph, layer: keras.Sequential, x: Tensor) -> Tensor:
    for each in layer.layers:
        x = form_of(each)(graph, each, x)
    return x


FORMS: dict[str, Form] = {
    "Activation": layers.activation,
    "Add": layers.joined("Add"),
    "AddPositionEmbs": attention.positions,
    "ClassToken": attention.class_token,
    "Concatenate": layers.concatenate,
    "Conv2D": layers.convolution,
    "Dense": layers.dense,
    "DepthwiseConv2D": layers.convolution,
    "FixedBatchNorm": layers.batch_norm,
    "GetItem": attention.item,
    "GlobalAveragePooling2D": layers.global_average,
    "GroupNormalization": layers.group_norm,
    "Identity": layers.identity,
    "Lambda": attention.first_token,
    "LayerNormalization": layers.layer_norm,
    "MaxPooling2D": layers.max_pooling,
    "Mean": attention.mean,
    "MultiHeadAttention": attention.multi_head,
    "Multiply": layers.joined("Mul"),
    "NormedConvolution": layers.convolution,
    "Permute": layers.permute,
    "ReLU": layers.relu,
    "Rescaling": layers.rescaling,
    "Reshape": layers.reshape,
    "Sequential": _sequence,
    "TransformerBlock": attention.transformer_block,
    "ZeroPadding2D": layers.zero_padding,
}
