"""Tensors inside a graph, watched or held fast: in onnxruntime and in memory, no file is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, ValueInfoProto, helper, numpy_helper

from .graphs import copied
from .normalize import drop_unused, inline_functions
from .runtime import cast, open_session

if TYPE_CHECKING:
    from torch import fx

    from .model import Model

__all__ = ["Probe", "frozen", "opened"]

_ROWS = 1024
_ELEMENTS = 2**24


def opened(model: Model) -> ModelProto:
    """The model's message with its local functions put in place of their calls, so that all inside has a name."""
    return inline_functions(model.graph)


class Probe:
    """Some tensors inside a graph as a function of the input; only what they need is run."""

    def __init__(self, model: Model, graph: ModelProto, names: Sequence[str]) -> None:
        """Start onnxruntime on the part of the graph that leads to these tensors.

        Args:
            model: for its input; stays as it is.
            graph: ``opened(model)``.
            names: of tensors that no subgraph holds.

        Raises:
            ModelError: onnxruntime refuses that part.
        """
        part = ModelProto()
        part.CopyFrom(graph)
        del part.graph.output[:]
        part.graph.output.extend(ValueInfoProto(name=name) for name in dict.fromkeys(names))
        self.names, self._spec = tuple(dict.fromkeys(names)), model.facts.input
        self._part = drop_unused(part)
        self._session = open_session(self._part.SerializeToString(), model.path)

    def run(self, inputs: NDArray[Any], rows: int = _ROWS) -> dict[str, NDArray[Any]]:
        """The tensors for inputs (N, ...) in the model's own domain, chunks joined along the first axis.

        Raises:
            ModelError: onnxruntime fails on them.
        """
        fixed = self._spec.shape[0]
        size = fixed or max(1, min(rows, _ELEMENTS // max(1, inputs[:1].size)))
        parts = [self._chunk(inputs[i : i + size], fixed) for i in range(0, len(inputs), size)]
        joined = {n: [np.atleast_1d(part[n]) for part in parts] for n in self.names}
        return {n: np.concatenate(values) for n, values in joined.items()}

    def each(self, inputs: NDArray[Any]) -> list[dict[str, NDArray[Any]]]:
        """The tensors for one input after the other, as they are."""
        return [self._chunk(inputs[i : i + 1], self._spec.shape[0]) for i in range(len(inputs))]

    def network(self) -> fx.GraphModule:
        """The same in torch: float input (N, ...) to a tuple of the tensors in order of ``names``.

        Raises:
            Unsupported: naming the operators that have no counterpart.
        """
        from .graphs import sort_nodes
        from .half_precision import to_float32
        from .normalize import lift_constants
        from .to_torch import network_of

        return network_of(lift_constants(to_float32(sort_nodes(self._part))))

    def _chunk(self, inputs: NDArray[Any], fixed: int | None) -> dict[str, NDArray[Any]]:
        rows = len(inputs)
        if fixed and rows < fixed:
            inputs = np.concatenate([inputs, np.repeat(inputs[-1:], fixed - rows, axis=0)])
        values = self._session.values(self.names, {self._spec.name: cast(inputs, self._spec.dtype)})
        return {n: v[:rows] if fixed and np.ndim(v) and len(v) == fixed else v for n, v in values.items()}


def frozen(graph: ModelProto, values: Mapping[str, NDArray[Any]]) -> ModelProto:
    """A copy of a graph in which every reader of these tensors sees a constant instead, of the tensor's own shape.

    Args:
        graph: the main graph holds the tensors.
        values: name -> what each example sees, without its first axis for a tensor that has one row an example.
    """
    copy = copied(graph)
    nodes: list[NodeProto] = []
    held = {name: f"{name}_frozen" for name in values}
    for node in copy.graph.node:
        _read_instead(node, held)
        nodes.append(node)
        for name in (n for n in node.output if n in held):
            nodes += _constant_like(copy, name, held[name], values[name])
    kept = [NodeProto.FromString(node.SerializeToString()) for node in nodes]  # the list is emptied first
    del copy.graph.node[:]
    copy.graph.node.extend(kept)
    return copy


def _constant_like(model: ModelProto, name: str, target: str, value: NDArray[Any]) -> list[NodeProto]:
    constant, shape = f"{target}_value", f"{target}_shape"
    model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), constant))
    return [helper.make_node("Shape", [name], [shape], name=shape),
            helper.make_node("Expand", [constant, shape], [target], name=target)]  # fmt: skip


def _read_instead(node: NodeProto, held: Mapping[str, str]) -> None:
    """Let a node, and the bodies that it holds, read other tensors."""
    node.input[:] = [held.get(name, name) for name in node.input]
    for attribute in node.attribute:
        for body in (*attribute.graphs, *((attribute.g,) if attribute.HasField("g") else ())):
            for inner in body.node:
                _read_instead(inner, held)
            for output in body.output:
                output.name = held.get(output.name, output.name)
