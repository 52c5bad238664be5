"""One channel of a twin's convolution or matrix product set to nothing, as a pruning repair does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from onnx import NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor, fx

from ...converters.model import Model
from ...converters.normalize import inline_functions
from ...converters.twin import Twin

__all__ = ["Layer", "layers"]

_ZERO_POINT = {"QLinearConv": 5, "QLinearMatMul": 5, "ConvInteger": 3, "MatMulInteger": 3}
_AXES = {
    "Conv": 0, "QLinearConv": 0, "ConvInteger": 0, "ConvTranspose": 1, "Gemm": 1, "MatMul": -1, "QLinearMatMul": -1,
    "MatMulInteger": -1,
}  # fmt: skip


@dataclass(frozen=True)
class Layer:
    """A node with output channels of its own.

    Attributes:
        tensor: name of its output.
        weight: name of its weight in the file.
        bias: the same for the bias inside the node; "" if there is none.
        path: of the weight's form that the node reads, in the twin's network.
        axis: of the output channels, in the twin's form of the weight.
        nothing: the stored value that stands for zero.
    """

    tensor: str
    weight: str
    bias: str
    path: str
    axis: int
    nothing: float

    def channels(self, twin: Twin) -> int:
        """How many there are."""
        return self._form(twin).shape[self.axis]

    def clear(self, twin: Twin, channel: int) -> None:
        """Set a channel's weights and its bias to zero in the twin."""
        with torch.no_grad():
            self._form(twin).select(self.axis, channel).fill_(self.nothing)
            if self.bias:
                twin.weights[self.bias].reshape(-1)[channel] = 0

    def _form(self, twin: Twin) -> Tensor:
        form: Tensor = getattr(twin.network, self.path)
        return form


def layers(model: Model, twin: Twin) -> list[Layer]:
    """Every layer whose weight is a weight of the file, in order of execution."""
    graph = inline_functions(model.graph).graph
    producers = {name: node for node in graph.node for name in node.output}
    values = {tensor.name: tensor for tensor in graph.initializer}
    found = []
    for name, value in twin.tensors.items():
        node = producers.get(name)
        if node is not None and node.op_type in _AXES and (layer := _layer(twin, name, node, value, values)):
            found.append(layer)
    return found


def _layer(twin: Twin, name: str, node: NodeProto, value: fx.Node, values: Mapping[str, TensorProto]) -> Layer | None:
    """The layer that a node is; None unless just one of its inputs is a matrix, or more, of the file."""
    forms = [(path, tensor) for path, tensor in _constants(twin, value) if path in twin.weights.paths]
    weights = [(path, tensor) for path, tensor in forms if tensor.dim() >= 2]
    if len(weights) != 1:
        return None
    (path, weight), axis = weights[0], _axis(node)
    vectors = [p for p, t in forms if t.dim() == 1 and t.numel() == weight.shape[axis] and t.is_floating_point()]
    inside = node.op_type in ("Conv", "ConvTranspose", "Gemm") and len(vectors) == 1
    bias = twin.weights.paths[vectors[0]] if inside else ""
    return Layer(name, twin.weights.paths[path], bias, path, axis, _nothing(node, values))


def _nothing(node: NodeProto, values: Mapping[str, TensorProto]) -> float:
    """The weight's zero point in an operator on integers, else 0."""
    position = _ZERO_POINT.get(node.op_type, len(node.input))
    zero = values.get(node.input[position]) if position < len(node.input) else None
    return 0.0 if zero is None else float(np.ravel(numpy_helper.to_array(zero))[0])


def _axis(node: NodeProto) -> int:
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    return 0 if node.op_type == "Gemm" and attributes.get("transB") else _AXES[node.op_type]


def _constants(twin: Twin, value: fx.Node) -> Iterator[tuple[str, Tensor]]:
    """Path and value of the constants that an fx node reads."""
    for source in value.all_input_nodes:
        if source.op == "get_attr" and isinstance(tensor := getattr(twin.network, str(source.target), None), Tensor):
            yield str(source.target), tensor
