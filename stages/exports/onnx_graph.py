"""An ONNX graph while it is written, and the layout of what flows through it.

Keras keeps channels last, ONNX's convolutions take them first. A tensor goes on in the layout of
the operation that made it, and is turned only where an operation needs the other one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 20  # the first with Gelu
IR_VERSION = 10  # runtimes since 2024 read it


@dataclass(frozen=True)
class Tensor:
    """What flows through the graph: its name, its shape as Keras has it, without the batch.

    `channels_first` is whether the graph has it as (n, c, h, w) where Keras has (n, h, w, c).
    """

    name: str
    shape: tuple[int, ...]
    channels_first: bool = False


class Graph:
    """Nodes and constants as they are added; names are counted, so every run has the same."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._turned: dict[Tensor, Tensor] = {}

    def add(self, kind: str, *inputs: str | np.ndarray, **attributes: object) -> str:
        """A node with one output, whose name is returned; arrays become constants."""
        return self.add_named(f"{kind}_{len(self._nodes)}", kind, *inputs, **attributes)

    def add_named(
        self, output: str, kind: str, *inputs: str | np.ndarray, **attributes: object
    ) -> str:
        names = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        self._nodes.append(helper.make_node(kind, names, [output], output, **attributes))
        return output

    def constant(self, array: np.ndarray) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def channels_first(self, x: Tensor) -> Tensor:
        return x if x.channels_first else self._turn(x, (0, 3, 1, 2))

    def channels_last(self, x: Tensor) -> Tensor:
        return self._turn(x, (0, 2, 3, 1)) if x.channels_first else x

    def _turn(self, x: Tensor, order: tuple[int, ...]) -> Tensor:
        if x not in self._turned:
            name = self.add("Transpose", x.name, perm=order)
            self._turned[x] = replace(x, name=name, channels_first=not x.channels_first)
        return self._turned[x]

    def model(self, pixels: Tensor, probabilities: Tensor, name: str) -> onnx.ModelProto:
        """uint8 `pixels` → float32 `probabilities`, for any number of pictures. Raises ValueError.

        That is onnx's own ValidationError for a graph that is not sound.
        """
        named = [(pixels, TensorProto.UINT8), (probabilities, TensorProto.FLOAT)]
        ends = [
            helper.make_tensor_value_info(end.name, kind, ["pictures", *end.shape])
            for end, kind in named
        ]
        graph = helper.make_graph(self._nodes, name, ends[:1], ends[1:], self._constants)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(
            graph, producer_name="ViToon", opset_imports=opsets, ir_version=IR_VERSION
        )
        onnx.checker.check_model(model, full_check=True)
        return model
