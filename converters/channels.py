"""Which weights make an output channel of a layer, so that it can be switched off in the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from .graphs import read_by, sort_nodes
from .normalize import drop_unused, inline_functions

__all__ = ["Layer", "Layers", "Part", "find_layers"]

_ACTIVATIONS = (
    "Celu", "Clip", "Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "PRelu", "Relu", "Selu", "Sigmoid",
    "Softplus", "Tanh", "ThresholdedRelu",
)  # fmt: skip
_BETWEEN = ("Dropout", "DequantizeLinear", "Identity", "MaxPool", "QuantizeLinear")
_SAME = ("Cast", "Identity")
_WEIGHT = {"Conv": 1, "ConvTranspose": 1, "Gemm": 1, "MatMul": 1, "QLinearConv": 3}
_BIAS = {"Conv": 2, "ConvTranspose": 2, "Gemm": 2, "QLinearConv": 8}


@dataclass(frozen=True, eq=False)
class Part:
    """One weight of a layer.

    Attributes:
        name: in the file.
        axis: of the output channels.
        nothing: the stored value that stands for zero, broadcastable to the weight: 0, or a zero point.
        shape: of the weight in the file.
    """

    name: str
    axis: int
    nothing: NDArray[Any]
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Layer:
    """A node with output channels of its own, with the bias and batch normalisation that follow it.

    Attributes:
        operator: "Conv", "Gemm", "MatMul", "BatchNormalization" (one that follows no layer of its own) and so on.
        output: name of the tensor whose channels the parts make; a cleared one is zero.
        active: the tensor behind its activation function; `output` where none follows alone.
        channels: how many.
        parts: the weights; the first is the kernel, or the scale of a normalisation on its own.
        norm: names of the (scale, variance) of the batch normalisation that follows, and its epsilon.
    """

    operator: str
    output: str
    active: str
    channels: int
    parts: tuple[Part, ...]
    norm: tuple[str, str, float] | None = None

    @property
    def spatial(self) -> bool:
        """Whether its output has axes behind the channels."""
        return self.operator not in ("Gemm", "MatMul")

    def cleared(self, weights: Mapping[str, TensorProto], channels: Iterable[int]) -> dict[str, NDArray[Any]]:
        """Return the layer's weights with some channels set to nothing, as `patch_weights` takes them.

        Raises:
            ValueError: no channel would be left.
        """
        chosen = sorted(set(channels))
        if len(chosen) >= self.channels:
            raise ValueError(f"the layer of {self.output!r} has {self.channels} channels, and all would be cleared")
        edits = {}
        for part in self.parts:
            values = np.array(numpy_helper.to_array(weights[part.name]))
            index = (slice(None),) * part.axis + (chosen,)
            values[index] = np.broadcast_to(part.nothing, values.shape)[index]
            edits[part.name] = values
        return edits


@dataclass(frozen=True)
class Layers:
    """The layers of a file in order of execution, and for every other one why it cannot be edited alone."""

    found: tuple[Layer, ...]
    refused: tuple[tuple[str, str], ...]


def find_layers(model: ModelProto, logits: str) -> Layers:
    """Find every layer whose channels can be cleared without changing another layer.

    Args:
        model: the file's message.
        logits: the output with the scores; the layer that makes it is left out, as its channels are the classes.
    """
    graph = sort_nodes(drop_unused(inline_functions(model))).graph
    finder = _Finder(graph, {tensor.name for tensor in model.graph.initializer} | _constants(model.graph))
    last = finder.maker_of(logits)
    layers, refused = [], []
    for node in graph.node:
        if node is last or node.op_type not in (*_WEIGHT, "BatchNormalization"):
            continue
        found = finder.layer(node)
        if isinstance(found, Layer):
            layers.append(found)
        elif found:
            refused.append((node.output[0], found))
    return Layers(tuple(layers), tuple(refused))


def _constants(graph: GraphProto) -> set[str]:
    return {node.output[0] for node in graph.node if node.op_type == "Constant"}


class _Finder:
    """Looks around in one graph."""

    def __init__(self, graph: GraphProto, editable: set[str]) -> None:
        self._producers = {name: node for node in graph.node for name in node.output if name}
        self._readers = Counter(name for node in graph.node for name in read_by(node))
        self._readers.update(output.name for output in graph.output)
        self._after = {name: node for node in graph.node for name in node.input}
        self._values = {tensor.name: tensor for tensor in graph.initializer}
        constants = (n for n in graph.node if n.op_type == "Constant")
        self._values |= {n.output[0]: a.t for n in constants for a in n.attribute if a.HasField("t")}
        self._editable = editable
        self._taken = set[str]()

    def maker_of(self, output: str) -> NodeProto | None:
        """The last node with weights before an output."""
        node = self._producers.get(output)
        while node is not None and node.op_type not in _WEIGHT:
            node = next((self._producers[name] for name in node.input if name in self._producers), None)
        return node

    def layer(self, node: NodeProto) -> Layer | str:
        """The layer that starts at a node; else why not, "" where it is part of an earlier one or has no weights."""
        if node.output[0] in self._taken:
            return ""
        try:
            if node.op_type == "BatchNormalization":
                parts = [self._part(node.input[i], 0) for i in (1, 2)]
                return self._built(node, parts, node.output[0], None)
            return self._linear(node)
        except _RefusedError as refused:
            return str(refused)

    def _linear(self, node: NodeProto) -> Layer | str:
        name, axis = node.input[_WEIGHT[node.op_type]], _axis(node)
        if name in self._producers and not self._leads_to_constant(name):
            return ""  # a product of two activations
        parts = [self._part(name, axis, _zero_point(node, self._values))]
        place = _BIAS.get(node.op_type, len(node.input))
        if place < len(node.input) and node.input[place]:
            parts.append(self._part(node.input[place], -1))
        output, norm = node.output[0], None
        while (follower := self._only_reader(output)) is not None:
            if follower.op_type == "Add" and self._leads_to_constant(other := _other(follower, output)):
                parts.append(self._part(other, -1 if node.op_type in ("MatMul", "Gemm") else -3))
            elif follower.op_type == "BatchNormalization" and norm is None:
                parts += [self._part(follower.input[i], 0) for i in (1, 2)]
                norm = (parts[-2].name, follower.input[4], _epsilon(follower))
            else:
                break
            output = follower.output[0]
            self._taken.add(output)
        return self._built(node, parts, output, norm)

    def _built(self, node: NodeProto, parts: list[Part], output: str, norm: tuple[str, str, float] | None) -> Layer:
        channels = parts[0].shape[parts[0].axis]
        if any(not part.shape or part.shape[part.axis] != channels for part in parts):
            raise _RefusedError("a bias does not have one value for each channel")
        return Layer(node.op_type, output, self._active(output), channels, tuple(parts), norm)

    def _active(self, output: str) -> str:
        """The tensor behind the activation function that alone follows, pooling and rounding passed over."""
        name = output
        while (node := self._only_reader(name)) is not None and node.op_type in (*_ACTIVATIONS, *_BETWEEN):
            name = str(node.output[0])
            if node.op_type in _ACTIVATIONS:
                return name
        return output

    def _only_reader(self, name: str) -> NodeProto | None:
        return self._after.get(name) if self._readers[name] == 1 else None

    def _leads_to_constant(self, name: str) -> bool:
        while name in self._producers and name not in self._values:
            node = self._producers[name]
            if node.op_type not in (*_SAME, "DequantizeLinear", "Transpose"):
                return False
            name = node.input[0]
        return name in self._values

    def _part(self, name: str, axis: int, zero_point: NDArray[Any] | None = None) -> Part:
        """The weight of the file behind a node's input, its axis followed back through transpositions."""
        nothing, place = np.zeros(()) if zero_point is None else zero_point, 0
        turns = list[NodeProto]()
        while True:
            if self._readers[name] > 1:
                raise _RefusedError(
                    f"the weight {name!r} is read by several nodes; editing it would change another layer"
                )
            if name in self._values:
                break
            node = self._producers[name]
            if node.op_type == "Transpose":
                turns.append(node)
            elif node.op_type == "DequantizeLinear":
                nothing, place = _dequantised_zero(node, self._values)
            elif node.op_type not in _SAME:
                raise _RefusedError(f"its weight is computed by {node.op_type}")
            name = node.input[0]
        if name not in self._editable:
            raise _RefusedError(f"the weight {name!r} lies inside a local function")
        shape = tuple(self._values[name].dims)
        axis = _followed(axis, turns, len(shape))
        if nothing.ndim == 1 and shape:
            nothing = nothing.reshape([-1 if i == place % len(shape) else 1 for i in range(len(shape))])
        return Part(name, axis, nothing, shape)


class _RefusedError(Exception):
    """Why a layer cannot be edited alone."""


def _axis(node: NodeProto) -> int:
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    if node.op_type == "Gemm":
        return 0 if attributes.get("transB") else 1
    if node.op_type == "ConvTranspose":
        if attributes.get("group", 1) != 1:
            raise _RefusedError("a transposed convolution in groups")
        return 1
    return -1 if node.op_type == "MatMul" else 0


def _followed(axis: int, turns: list[NodeProto], rank: int) -> int:
    """The axis of the stored weight, for one of the weight as the node reads it; bias axes may be missing."""
    if rank == 0:
        return 0
    axis = axis if axis >= 0 else max(rank + axis, 0)
    for node in turns:
        order = next((list(a.ints) for a in node.attribute if a.name == "perm"), list(range(rank))[::-1])
        axis = order[axis]
    return axis


def _zero_point(node: NodeProto, values: Mapping[str, TensorProto]) -> NDArray[Any] | None:
    """The weight's zero point in an operator on integers."""
    if node.op_type != "QLinearConv" or node.input[5] not in values:
        return None
    return np.asarray(numpy_helper.to_array(values[node.input[5]]))


def _dequantised_zero(node: NodeProto, values: Mapping[str, TensorProto]) -> tuple[NDArray[Any], int]:
    """The zero point of a weight, and the weight's axis along which it runs if it is no single number."""
    if len(node.input) < 3 or not node.input[2]:
        return np.zeros(()), 0
    if node.input[2] not in values:
        raise _RefusedError("the zero point of its weight is computed")
    zero = np.asarray(numpy_helper.to_array(values[node.input[2]]))
    return zero, next((a.i for a in node.attribute if a.name == "axis"), 1) if zero.size > 1 else 0


def _other(node: NodeProto, name: str) -> str:
    return str(next((n for n in node.input if n != name), ""))


def _epsilon(node: NodeProto) -> float:
    return float(next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5))
