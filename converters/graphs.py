"""Walks over an ONNX message: every tensor in it, its nodes in order of execution, its operator set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto

__all__ = [
    "copied", "every_node", "live_nodes", "needed", "opset", "opsets", "read_by", "reads", "sort_nodes", "subgraphs",
    "tensors",
]  # fmt: skip


def copied(model: ModelProto) -> ModelProto:
    """Return a deep copy."""
    copy = ModelProto()
    copy.CopyFrom(model)
    return copy


def opset(model: ModelProto) -> int:
    """Version of the default operator set; 0 if the model imports none."""
    return opsets(model).get("", 0)


def opsets(model: ModelProto) -> dict[str, int]:
    """Version of each operator domain that the model imports; ONNX's own under "" and under its long name."""
    versions = {o.domain: o.version for o in model.opset_import}
    own = max((versions[name] for name in ("", "ai.onnx") if name in versions), default=None)
    return versions if own is None else {**versions, "": own, "ai.onnx": own}


def subgraphs(attribute: AttributeProto) -> tuple[GraphProto, ...]:
    """Bodies of If, Loop and Scan that an attribute holds."""
    return (*attribute.graphs, *((attribute.g,) if attribute.HasField("g") else ()))


def every_node(model: ModelProto) -> Iterator[NodeProto]:
    """Every node, those of subgraphs and of local functions included."""
    yield from _nodes(model.graph.node)
    for function in model.functions:
        yield from _nodes(function.node)


def _nodes(nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
    for node in nodes:
        yield node
        for graph in (graph for attribute in node.attribute for graph in subgraphs(attribute)):
            yield from _nodes(graph.node)


def tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Every constant of the model: initializers and attributes, those of subgraphs and local functions included."""
    yield from _tensors_of_graph(model.graph)
    for function in model.functions:
        yield from _tensors_of_nodes(function.node)
    for training in model.training_info:
        yield from _tensors_of_graph(training.initialization)
        yield from _tensors_of_graph(training.algorithm)


def _tensors_of_graph(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from _tensors_of_sparse(sparse)
    yield from _tensors_of_nodes(graph.node)


def _tensors_of_nodes(nodes: Iterable[NodeProto]) -> Iterator[TensorProto]:
    for attribute in (attribute for node in nodes for attribute in node.attribute):
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        if attribute.HasField("sparse_tensor"):
            yield from _tensors_of_sparse(attribute.sparse_tensor)
        for sparse in attribute.sparse_tensors:
            yield from _tensors_of_sparse(sparse)
        for graph in subgraphs(attribute):
            yield from _tensors_of_graph(graph)


def _tensors_of_sparse(sparse: SparseTensorProto) -> Iterator[TensorProto]:
    yield sparse.values
    yield sparse.indices


def sort_nodes(model: ModelProto) -> ModelProto:
    """Return the model with its nodes in order of execution; itself, if they are or if they form a cycle.

    onnxruntime runs unsorted graphs; the ONNX checker and converters do not.
    """
    nodes = list(model.graph.node)
    producer = {name: i for i, node in enumerate(nodes) for name in node.output if name}
    needs = {i: {producer[n] for n in read_by(node) if n in producer} for i, node in enumerate(nodes)}
    if all(before < i for i, those in needs.items() for before in those):
        return model
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError:
        return model
    model = copied(model)
    del model.graph.node[:]
    model.graph.node.extend(nodes[i] for i in order)
    return model


def needed(graph: GraphProto, outputs: Iterable[str]) -> set[str]:
    """Names of all tensors that these outputs depend on, themselves included."""
    producers = {name: node for node in graph.node for name in node.output if name}
    used = set[str]()
    pending = list(outputs)
    while pending:
        if (name := pending.pop()) not in used:
            used.add(name)
            pending += (name for name in read_by(producers[name]) if name) if name in producers else ()
    return used


def live_nodes(graph: GraphProto) -> list[NodeProto]:
    """The nodes that lead to an output of the graph, in the order of the file."""
    used = needed(graph, (output.name for output in graph.output))
    return [node for node in graph.node if not used.isdisjoint(node.output)]


def reads(graph: GraphProto) -> list[str]:
    """Names of the tensors that a subgraph takes from outside, in order of first use."""
    own = {value.name for value in (*graph.input, *graph.initializer)}
    own.update(name for node in graph.node for name in node.output)
    used = [name for node in graph.node for name in read_by(node)] + [output.name for output in graph.output]
    return [name for name in dict.fromkeys(used) if name and name not in own]


def read_by(node: NodeProto) -> Iterator[str]:
    """Names that a node reads, those that its subgraphs take from outside included."""
    yield from node.input
    for attribute in node.attribute:
        for graph in subgraphs(attribute):
            yield from reads(graph)
