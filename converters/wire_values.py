"""The few numbers of a small constant, read from the file's bytes; and what is constant where."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from math import prod
from struct import iter_unpack

from .wire_message import Message

__all__ = ["BITS", "Constants", "constants_of", "elements", "values_of"]

Number = int | float
Constants = Mapping[str, Message]
"""Name -> the Tensor, or the attribute of a Constant node, that holds its values."""

BITS = {
    1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128, 16: 16,
    17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2,
}  # fmt: skip
"""TensorProto.DataType -> bits of one element; text (8) has no size."""

_FORMATS = {1: "<f", 11: "<d", 10: "<e", 6: "<i", 7: "<q", 2: "<B", 3: "<b", 4: "<H", 5: "<h", 12: "<I", 13: "<Q"}
_WHOLE = (2, 3, 4, 5, 6, 7, 12, 13)
_FIELDS = {7: "int64_data", 13: "uint64_data", 12: "uint64_data"}
_MOST = 64
AXES = 64  # numpy's own limit


def constants_of(scope: Message, outer: Constants) -> Constants:
    """What is constant in a graph or a function: its initializers and its Constant nodes, with those around it."""
    own = {tensor.text("name"): tensor for tensor in scope.messages("initializer")}
    for node in scope.messages("node"):
        if node.text("op_type") == "Constant" and node.messages("attribute"):
            own |= dict.fromkeys(node.texts("output")[:1], node.messages("attribute")[0])
    return ChainMap(own, *(outer.maps if isinstance(outer, ChainMap) else ()))


def elements(message: Message) -> int:
    """Elements that a tensor, dense or sparse, declares; -1 if it has a negative axis.

    Raises:
        ValueError: it has more axes than any library takes.
    """
    dims = message.integers("dims", AXES + 1)
    if len(dims) > AXES:
        raise ValueError(f"a tensor with more than {AXES} axes")
    return -1 if min(dims, default=0) < 0 else prod(dims)


def values_of(constant: Message | None) -> list[Number] | None:
    """The numbers of a small constant; None if it is not one, is large, or keeps its data outside the file."""
    if constant is None:
        return None
    if constant.type == "Attribute":
        return _of_attribute(constant)
    kind = constant.small_integer("data_type")
    if constant.small_integer("data_location") == 1 or not 0 <= elements(constant) <= _MOST:
        return None
    if raw := constant.spans("raw_data"):
        content = constant.content[raw[-1].start : raw[-1].end]
        width = BITS.get(kind, 0) // 8
        return [v for (v,) in iter_unpack(_FORMATS[kind], content)] if _readable(kind, content, width) else None
    if kind == 1:
        return [*constant.floats("float_data", _MOST)]
    return [*constant.integers(_FIELDS.get(kind, "int32_data"), _MOST)] if kind in _WHOLE else None


def _readable(kind: int, content: bytes, width: int) -> bool:
    return kind in _FORMATS and len(content) <= width * _MOST and len(content) % width == 0


def _of_attribute(attribute: Message) -> list[Number] | None:
    """Those of a Constant node's one attribute."""
    name = attribute.text("name")
    if name == "value":
        return values_of(attribute.message("t"))
    if name == "value_int":
        return [attribute.integer("i")]
    return [*attribute.integers("ints", _MOST)] if name == "value_ints" else None
