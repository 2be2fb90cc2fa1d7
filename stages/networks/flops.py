"""Multiply-adds (MACs) of a network, counted in the graph that TensorFlow runs."""

import math

import tensorflow as tf


def multiply_adds(model) -> int:
    """Those of one picture in convolutions and matrix products, each with its addition."""
    picture = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    return _of_graph(tf.function(lambda x: model(x)).get_concrete_function(picture).graph)


def _of_graph(graph) -> int:
    return sum(_of_operation(operation) for operation in graph.get_operations())


def _of_operation(operation) -> int:
    if operation.type.endswith(
        "PartitionedCall"
    ):  # grouped convolutions are functions of their own
        name = operation.get_attr("f").name
        return _of_graph(operation.graph._get_function(name).graph)
    if operation.type not in SUMMED:
        return 0
    if operation.type == "Einsum":
        return _of_einsum(operation)
    return math.prod(operation.outputs[0].shape) * SUMMED[operation.type](operation)


def _of_einsum(operation) -> int:
    """Each letter of the inputs is a loop."""
    terms = operation.get_attr("equation").decode().partition("->")[0].split(",")
    pairs = zip(terms, operation.inputs, strict=True)
    lengths = {letter: n for term, x in pairs for letter, n in zip(term, x.shape, strict=True)}
    return math.prod(lengths.values())


def _rows(operation, transposed: str) -> int:
    return operation.inputs[0].shape[-2 if operation.get_attr(transposed) else -1]


# Products that are summed for each output, by operation.
SUMMED = {
    "Conv2D": lambda operation: math.prod(operation.inputs[1].shape[:3]),
    "DepthwiseConv2dNative": lambda operation: math.prod(operation.inputs[1].shape[:2]),
    "MatMul": lambda operation: _rows(operation, "transpose_a"),
    "BatchMatMulV2": lambda operation: _rows(operation, "adj_x"),
    "Einsum": None,
}
