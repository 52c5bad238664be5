"""Where a twin's gradient is not that of its values: what to tell beside anything that was found by following it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

from .graphs import opsets, read_by, subgraphs
from .operators import Gradient, find

__all__ = ["surrogates"]

_FLOATING = {
    getattr(TensorProto, name)
    for name in TensorProto.DataType.keys()  # noqa: SIM118  (no dict)
    if name.startswith(("FLOAT", "BFLOAT", "DOUBLE", "COMPLEX"))
}
_CASTS = ("Cast", "CastLike")


def surrogates(model: ModelProto) -> tuple[str, ...]:
    """The operators whose gradient is not that of their values, as "QuantizeLinear (straight-through)".

    One that only sees constants, sizes, indices or other whole numbers has no gradient to falsify and is not named; nor
    is a cast to a floating type, which passes the gradient as it is.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    return tuple(sorted(set(_told(model.graph, opsets(model), constants | _whole(model.graph.input)))))


def _told(graph: GraphProto, versions: dict[str, int], still: set[str]) -> Iterator[str]:
    """The names for one graph; `still` are the tensors outside through which no gradient passes."""
    still = still | {tensor.name for tensor in graph.initializer} | _whole(graph.value_info)
    for node in graph.node:
        for body in (body for attribute in node.attribute for body in subgraphs(attribute)):
            yield from _told(body, versions, still)
        operator = find(node.domain, node.op_type, versions.get(node.domain, 1))
        if all(name in still for name in read_by(node) if name) or (operator and operator.gradient is Gradient.NONE):
            still.update(node.output)
        elif operator and operator.gradient in (Gradient.STRAIGHT_THROUGH, Gradient.SOFT) and not _to_float(node):
            yield f"{operator.name} ({operator.gradient.value})"


def _whole(values: Iterable[ValueInfoProto]) -> set[str]:
    """Names of values that are declared as anything but floating point."""
    kinds = {value.name: value.type.tensor_type.elem_type for value in values}
    return {name for name, kind in kinds.items() if kind and kind not in _FLOATING}


def _to_float(node: NodeProto) -> bool:
    to = next((a for a in node.attribute if a.name == "to"), None)
    if node.op_type not in _CASTS or to is None:
        return False
    return to.i in _FLOATING or to.s.startswith((b"FLOAT", b"DOUBLE", b"BFLOAT"))
