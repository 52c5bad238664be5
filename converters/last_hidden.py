"""The last hidden layer: what a classifier makes of an input just before the layer that names the class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from onnx import GraphProto, NodeProto, ValueInfoProto, helper

from .answers import Answer, Reading
from .errors import ModelError
from .facts import TensorSpec
from .graphs import copied, read_by
from .normalize import drop_unused, inline_functions, strip_head
from .runtime import Session

if TYPE_CHECKING:
    from onnx import ModelProto

    from .model import Model

__all__ = ["Hidden", "find_last_hidden", "hidden_session"]

_LAYERS = {"Conv": 0, "FusedMatMul": 0, "Gemm": 0, "MatMul": 0, "QGemm": 0, "QLinearConv": 0, "QLinearMatMul": 0}
_MEANS_NOTHING = (
    "Add", "Cast", "Clip", "DequantizeLinear", "Div", "Dropout", "Expand", "Flatten", "Gather", "Identity", "Mul",
    "QuantizeLinear", "Reshape", "Shape", "Slice", "Squeeze", "Sub", "Transpose", "Unsqueeze", "Concat", "Constant",
)  # fmt: skip
"""Operators that only prepare an input; a Gather counts as a layer where it looks rows up in a table of weights."""


@dataclass(frozen=True)
class Hidden:
    """The tensor that feeds the last layer.

    Attributes:
        tensor: its name in the file, local functions inlined.
        layer: name of what the last layer makes of it.
        spatial: whether the last layer is a convolution, so that its axes behind the channels are positions.
    """

    tensor: str
    layer: str
    spatial: bool


def find_last_hidden(model: ModelProto, output: str, path: str) -> Hidden:
    """Find the tensor that feeds the last layer with weights before an output.

    Args:
        path: for messages.

    Raises:
        ModelError: there is no such layer (a forest of trees has none), or only the input stands before it.
    """
    graph = strip_head(inline_functions(model), output).graph
    makers = {name: node for node in graph.node for name in node.output if name}
    if (node := _last_layer(graph, makers)) is None:
        raise ModelError(f"{path}: no layer with weights makes its scores, so it has no last hidden layer")
    data = node.input[0]
    if not _learnt(data, makers, {tensor.name for tensor in graph.initializer}):
        raise ModelError(f"{path}: it has no hidden layer: only its input stands before the last, {node.output[0]!r}")
    return Hidden(data, node.output[0], "Conv" in node.op_type)


def hidden_session(model: Model, hidden: Hidden) -> Session:
    """Start onnxruntime on the original file up to its last hidden layer; `Session.run` gives (N, F), flattened.

    Of a convolution's input the mean over its positions is given.

    Raises:
        ModelError: onnxruntime refuses it.
    """
    proto, name = copied(inline_functions(model.graph)), hidden.tensor
    if hidden.spatial:
        name = f"{name} mean"
        proto.graph.node.append(helper.make_node("GlobalAveragePool", [hidden.tensor], [name]))
    del proto.graph.output[:]
    proto.graph.output.append(ValueInfoProto(name=name))
    answer = Answer(TensorSpec(name, (), "float32"), Reading.SCORES)
    return Session(drop_unused(proto).SerializeToString(), model.facts.input, answer, model.path)


def _last_layer(graph: GraphProto, makers: Mapping[str, NodeProto]) -> NodeProto | None:
    """The nearest layer on the way back from the scores."""
    waiting, seen = [graph.output[0].name], set[str]()
    while waiting:
        node = makers.get(waiting.pop(0))
        if node is None or node.output[0] in seen:
            continue
        if node.op_type in _LAYERS:
            return node
        seen.add(node.output[0])
        waiting += node.input
    return None


def _learnt(name: str, makers: Mapping[str, NodeProto], weights: set[str]) -> bool:
    """Whether more than preparation stands between the input and a tensor."""
    waiting, seen = [name], set[str]()
    while waiting:
        node = makers.get(waiting.pop())
        if node is None or node.output[0] in seen:
            continue
        seen.add(node.output[0])
        if node.op_type not in _MEANS_NOTHING or (node.op_type == "Gather" and node.input[0] in weights):
            return True
        waiting += read_by(node)
    return False
