"""Where in a file's bytes each named weight lies: initializers and Constant nodes, those of subgraphs included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto

from .wire import LENGTH, Field, fields

__all__ = ["Site", "sites"]

_OWN_DOMAINS = ("", "ai.onnx")


@dataclass(frozen=True, slots=True)
class Site:
    """A TensorProto inside the file.

    Attributes:
        name: that of the initializer, or of the Constant node's output.
        field: the bytes of the TensorProto.
        enclosing: the fields around it, outermost first, and itself.
        sparse: whether it holds only the values that are not zero.
    """

    name: str
    field: Field
    enclosing: tuple[Field, ...]
    sparse: bool = False


def sites(content: bytes) -> Iterator[Site]:
    """Every named weight of a serialised ModelProto, in the order of the file; a name may come more than once.

    Local functions are left out: what is constant in them has no name of its own in the graph.

    Raises:
        WireError: the bytes are no ModelProto.
    """
    for graph in _inner(content, Field(0, LENGTH, 0, 0, len(content)), ModelProto.GRAPH_FIELD_NUMBER):
        yield from _in_graph(content, (graph,))


def _in_graph(content: bytes, path: tuple[Field, ...]) -> Iterator[Site]:
    for tensor in _inner(content, path[-1], GraphProto.INITIALIZER_FIELD_NUMBER):
        yield Site(_text(content, tensor, TensorProto.NAME_FIELD_NUMBER), tensor, (*path, tensor))
    for sparse in _inner(content, path[-1], GraphProto.SPARSE_INITIALIZER_FIELD_NUMBER):
        for tensor in _inner(content, sparse, SparseTensorProto.VALUES_FIELD_NUMBER):
            yield Site(_text(content, tensor, TensorProto.NAME_FIELD_NUMBER), tensor, (*path, sparse, tensor), True)
    for node in _inner(content, path[-1], GraphProto.NODE_FIELD_NUMBER):
        yield from _in_node(content, (*path, node))


def _in_node(content: bytes, path: tuple[Field, ...]) -> Iterator[Site]:
    node = path[-1]
    constant = (
        _text(content, node, NodeProto.OP_TYPE_FIELD_NUMBER) == "Constant"
        and _text(content, node, NodeProto.DOMAIN_FIELD_NUMBER) in _OWN_DOMAINS
    )
    outputs = [content[f.start : f.end] for f in _inner(content, node, NodeProto.OUTPUT_FIELD_NUMBER)]
    name = outputs[0].decode(errors="replace") if outputs else ""
    for attribute in _inner(content, node, NodeProto.ATTRIBUTE_FIELD_NUMBER):
        around = (*path, attribute)
        if constant:
            for tensor in _inner(content, attribute, AttributeProto.T_FIELD_NUMBER):
                yield Site(name, tensor, (*around, tensor))
            for sparse in _inner(content, attribute, AttributeProto.SPARSE_TENSOR_FIELD_NUMBER):
                yield Site(name, sparse, (*around, sparse), True)
        for number in (AttributeProto.G_FIELD_NUMBER, AttributeProto.GRAPHS_FIELD_NUMBER):
            for graph in _inner(content, attribute, number):
                yield from _in_graph(content, (*around, graph))


def _inner(content: bytes, message: Field, number: int) -> Iterator[Field]:
    return (f for f in fields(content, message.start, message.end) if f.number == number and f.kind == LENGTH)


def _text(content: bytes, message: Field, number: int) -> str:
    """A field of text; where it comes more than once, the last counts, as for protobuf's own parsers."""
    found = [content[f.start : f.end] for f in _inner(content, message, number)]
    return found[-1].decode(errors="replace") if found else ""
