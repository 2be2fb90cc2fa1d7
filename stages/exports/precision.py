"""The same ONNX graph with smaller weights: float16, or whole numbers of 8 bits.

Float16 is what the file holds and not what is computed with, as processors are faster in float32.
Convolutions in int8 are calibrated on training pictures (B. Jacob et al. 2018,
https://arxiv.org/abs/1712.05877); matrix products of transformers take the range of each batch
instead, as their activations have outliers (T. Dettmers et al. 2022,
https://arxiv.org/abs/2208.07339). docs/decisions.md compares.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization

SIGNIFICANT = 0.05  # share of all weights, below which convolutions stay float32
PICTURES_AT_ONCE = 8
PRODUCTS = ["Gemm", "MatMul"]
OF_THE_HEAD = ("Gemm", "Softmax")  # in steps of 1/255 its probabilities would sum to no 1


def in_precisions(
    float32: onnx.ModelProto, pixels: np.ndarray
) -> Iterator[tuple[str, onnx.ModelProto]]:
    """The model itself first; int8 is calibrated on `pixels`, uint8 (n, size, size, 3)."""
    yield "float32", float32
    yield "float16", float16_weights(float32)
    yield "int8", int8_weights(float32, pixels)


def float16_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose arrays are float16, which the graph turns into float32 first.

    Runtimes do that once, while they load it.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    casts = []
    for tensor in copy.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) > 1:
            name, half = tensor.name, f"{tensor.name}_half"
            values = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(values, half))
            casts.append(helper.make_node("Cast", [half], [name], name, to=TensorProto.FLOAT))
    nodes = [*casts, *copy.graph.node]
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    return copy


def int8_weights(model: onnx.ModelProto, pixels: np.ndarray) -> onnx.ModelProto:
    """A copy that computes in int8; `pixels`, uint8 (n, size, size, 3), are those to calibrate on.

    All of it where the network has convolutions alone. In one with attention: matrix products, and
    convolutions where they matter.
    """
    attends = any(node.op_type == "LayerNormalization" for node in model.graph.node)
    if _share_of_convolutions(model) > SIGNIFICANT:
        model = _calibrated(model, pixels, ["Conv"] if attends else None)
    return _ranged_by_batch(model) if attends else model


def _share_of_convolutions(model: onnx.ModelProto) -> float:
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in model.graph.initializer}
    kernels = {node.input[1] for node in model.graph.node if node.op_type == "Conv"}
    return sum(sizes[name] for name in kernels) / sum(sizes.values())


def _calibrated(
    model: onnx.ModelProto, pixels: np.ndarray, kinds: list[str] | None
) -> onnx.ModelProto:
    head = [node.name for node in model.graph.node if node.op_type in OF_THE_HEAD]
    with _files(model) as (given, made):
        quantization.quantize_static(
            given,
            made,
            _Pictures(pixels),
            op_types_to_quantize=kinds,
            nodes_to_exclude=head,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
        )
        return onnx.load(made)


def _ranged_by_batch(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose products with constant kernels are of whole numbers.

    As onnxruntime's `quantize_dynamic` makes it, which goes from column to column for seconds.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    constants = {tensor.name: tensor for tensor in copy.graph.initializer}
    nodes, scaled = [], set()
    for node in model.graph.node:
        if node.op_type in PRODUCTS and node.input[1] in constants:
            if node.input[0] not in scaled:
                nodes.append(_ranged(node.input[0]))
                scaled.add(node.input[0])
            tensor = constants.pop(node.input[1])
            kernel, step = whole_numbers(numpy_helper.to_array(tensor))
            tensor.CopyFrom(numpy_helper.from_array(kernel, tensor.name))
            copy.graph.initializer.append(numpy_helper.from_array(step, f"{tensor.name}_step"))
            nodes += _whole_product(node)
        else:
            nodes.append(node)
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    return copy


def whole_numbers(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float32 (rows, columns) → int8 of that shape, and the step of each column (columns,)."""
    step = np.abs(kernel).max(axis=0) / np.float32(127)
    step = np.where(step > 0, step, 1).astype(np.float32)
    return np.round(kernel / step).astype(np.int8), step


def _ranged(name: str) -> onnx.NodeProto:
    made = [f"{name}_{part}" for part in ("whole", "step", "zero")]
    return helper.make_node("DynamicQuantizeLinear", [name], made, made[0])


def _whole_product(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    """What takes the place of a product with a kernel, and of its bias if it has one."""
    given, kernel, *bias = node.input
    name = node.output[0]
    sums, numbers, step = (f"{name}_{part}" for part in ("sums", "numbers", "step"))
    product = f"{name}_product" if bias else name

    def add(kind: str, inputs: Sequence[str], output: str, **attributes: int) -> onnx.NodeProto:
        return helper.make_node(kind, inputs, [output], output, **attributes)

    yield add("MatMulInteger", [f"{given}_whole", kernel, f"{given}_zero"], sums)
    yield add("Cast", [sums], numbers, to=TensorProto.FLOAT)
    yield add("Mul", [f"{given}_step", f"{kernel}_step"], step)
    yield add("Mul", [numbers, step], product)
    if bias:
        yield add("Add", [product, *bias], name)


@contextmanager
def _files(model: onnx.ModelProto) -> Iterator[tuple[Path, Path]]:
    """The model in a file, as onnxruntime's functions change one in memory, and a place for theirs.

    Without their advice to optimise the graph first, which these have no need of.
    """
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with TemporaryDirectory() as folder:
            onnx.save(model, Path(folder, "float32.onnx"))
            yield Path(folder, "float32.onnx"), Path(folder, "int8.onnx")
    finally:
        logging.disable(before)


class _Pictures(quantization.CalibrationDataReader):
    def __init__(self, pixels: np.ndarray) -> None:
        starts = range(0, len(pixels), PICTURES_AT_ONCE)
        self._pieces: Iterator[np.ndarray] = (pixels[at : at + PICTURES_AT_ONCE] for at in starts)

    def get_next(self) -> dict[str, np.ndarray] | None:
        piece = next(self._pieces, None)
        return None if piece is None else {"pixels": piece}
