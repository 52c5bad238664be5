"""Every place of an ONNX file that holds nodes: the graph, bodies of If, Loop and Scan, functions, their defaults."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..converters.messages import one_line

if TYPE_CHECKING:
    from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto

__all__ = ["Scope", "label", "place", "scopes"]


@dataclass(frozen=True, eq=False)
class Scope:
    """One list of nodes with the names around it.

    Attributes:
        path: where it is, outermost first: () for the graph itself, ("node /If_0", "then_branch") for a body,
            ("function local.Gate",) for a function, ("training 0", "algorithm") for training information.
        nodes: in the order of the file.
        inputs: names that it is given.
        outputs: names that it gives.
        initializers: constants of its own, dense ones.
        graph: the message, None for a function.
        function: the message, None for a graph.
    """

    path: tuple[str, ...]
    nodes: Sequence[NodeProto]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    initializers: Sequence[TensorProto] = ()
    graph: GraphProto | None = None
    function: FunctionProto | None = None

    def locate(self, node: NodeProto) -> str:
        """The node's place in the file, in words without line breaks."""
        return place((*self.path, label(node)))


def label(node: NodeProto) -> str:
    """A node in words, at most 100 characters: its name (or first output) and its operator, once."""
    name = node.name or next(iter(node.output), "")
    return one_line(name if node.op_type in name else f"{node.op_type} {name}", 100)


def place(path: Iterable[str]) -> str:
    """A path in one line."""
    return " > ".join(one_line(part, 80) for part in path)


def scopes(model: ModelProto) -> Iterator[Scope]:
    """Every scope of the file, outer ones before those inside them."""
    yield from _of_graph(model.graph, ())
    for function in model.functions:
        yield from _of_function(function)
    for i, training in enumerate(model.training_info):
        yield from _of_graph(training.initialization, (f"training {i}", "initialization"))
        yield from _of_graph(training.algorithm, (f"training {i}", "algorithm"))


def _of_graph(graph: GraphProto, path: tuple[str, ...]) -> Iterator[Scope]:
    constants = {tensor.name for tensor in graph.initializer}
    yield Scope(
        path=path,
        nodes=graph.node,
        inputs=tuple(value.name for value in graph.input if value.name not in constants),
        outputs=tuple(value.name for value in graph.output),
        initializers=graph.initializer,
        graph=graph,
    )
    yield from _inside(graph.node, path)


def _of_function(function: FunctionProto) -> Iterator[Scope]:
    path = (f"function {function.domain}.{function.name}",)
    yield Scope(path, function.node, tuple(function.input), tuple(function.output), function=function)
    yield from _inside(function.node, path)
    yield from _of_attributes(function.attribute_proto, (*path, "default"))


def _inside(nodes: Iterable[NodeProto], path: tuple[str, ...]) -> Iterator[Scope]:
    for node in nodes:
        if node.attribute:
            yield from _of_attributes(node.attribute, (*path, f"node {label(node)}"))


def _of_attributes(attributes: Iterable[AttributeProto], path: tuple[str, ...]) -> Iterator[Scope]:
    for attribute in attributes:
        if attribute.HasField("g"):
            yield from _of_graph(attribute.g, (*path, attribute.name))
        for i, graph in enumerate(attribute.graphs):
            yield from _of_graph(graph, (*path, f"{attribute.name}[{i}]"))
