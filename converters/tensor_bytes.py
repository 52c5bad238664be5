"""New values for a TensorProto, as the fewest bytes of the file that have to change.

ONNX keeps a tensor's elements in `raw_data`, or one by one in a field of numbers: `float_data` and `double_data` of
fixed width, `int32_data`, `int64_data` and `uint64_data` as varints, each packed or not. float16, bfloat16 and float8
stand as their bits in `int32_data`; 4-bit numbers two to a byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from .wire import LENGTH, Field, Replacement, fields, varint

__all__ = ["changed_units", "field_replacements", "fitted", "merged", "stored_values"]

_RAW = TensorProto.RAW_DATA_FIELD_NUMBER
_FIELDS = {
    getattr(TensorProto, f"{name.upper()}_FIELD_NUMBER"): (name, width)
    for name, width in (("float_data", 4), ("double_data", 8), ("int32_data", 0), ("int64_data", 0), ("uint64_data", 0))
}
_REFUSED = (TensorProto.STRING, TensorProto.BOOL, TensorProto.COMPLEX64, TensorProto.COMPLEX128, TensorProto.UNDEFINED)


def fitted(values: NDArray[Any], proto: TensorProto) -> NDArray[Any]:
    """Return the values in the tensor's own type.

    Raises:
        ValueError: another shape, a type that cannot be edited, or a value that the type does not hold exactly.
    """
    if proto.data_type in _REFUSED or proto.data_type not in TensorProto.DataType.values():
        raise ValueError("expected a tensor of numbers; text, truth values and complex numbers cannot be edited")
    dtype = helper.tensor_dtype_to_np_dtype(proto.data_type)
    if values.shape != tuple(proto.dims):
        raise ValueError(f"expected the shape {tuple(proto.dims)}, got {values.shape}")
    if values.dtype == dtype:
        return values
    if values.dtype.kind not in "fiu":
        raise ValueError(f"expected values of type {dtype.name}, got {values.dtype.name}")
    with np.errstate(all="ignore"):
        held = values.astype(dtype)
    same = held.astype(values.dtype) == values
    if not same.all():
        worst = values[~same].flat[0]
        raise ValueError(f"expected values that {dtype.name} holds exactly, got {worst!s} ({values.dtype.name})")
    return held


def stored_values(proto: TensorProto, raw: bytes) -> NDArray[Any]:
    """The values that the file has now; `raw` is the tensor's external data, if that is where they are.

    Raises:
        ValueError: the data does not fit the shape.
    """
    if proto.data_location == TensorProto.EXTERNAL:
        inside = TensorProto(data_type=proto.data_type, dims=proto.dims, raw_data=raw)
        return numpy_helper.to_array(inside)
    if min(proto.dims, default=0) < 0 or prod(proto.dims) > 8 * proto.ByteSize():
        raise ValueError(f"{proto.ByteSize()} bytes for the shape {list(proto.dims)[:8]}")
    return numpy_helper.to_array(proto)


def changed_units(old: NDArray[Any], new: NDArray[Any], proto: TensorProto) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both arrays as little-endian numbers, one for each element, or for each byte of small elements."""
    one, two = (numpy_helper.from_array(np.ascontiguousarray(a)).raw_data for a in (old, new))
    dtype = helper.tensor_dtype_to_np_dtype(proto.data_type)
    signed = dtype.kind == "i" and dtype.itemsize * old.size == len(one)
    kind = np.dtype(f"<{'i' if signed else 'u'}{dtype.itemsize}")
    return np.frombuffer(one, kind), np.frombuffer(two, kind)


def merged(held: bytes, old: NDArray[Any], new: NDArray[Any]) -> bytes:
    """The bytes of the units `new` where those differ from `old`; all others, and spare bits, as they are held.

    Raises:
        ValueError: another number of bytes.
    """
    if len(held) != old.nbytes:
        raise ValueError(f"expected {old.nbytes} bytes of data, got {len(held)}")
    bits = np.frombuffer(old.tobytes(), np.uint8) ^ np.frombuffer(new.tobytes(), np.uint8)
    return bytes(np.frombuffer(held, np.uint8) ^ bits)


def field_replacements(
    content: bytes, tensor: Field, proto: TensorProto, old: NDArray[Any], new: NDArray[Any]
) -> tuple[list[Replacement], list[Field]]:
    """What to write for new units inside a TensorProto, and the fields around it whose length may change.

    Raises:
        ValueError: the data is spread in a way that no exporter writes.
    """
    inside = list(fields(content, tensor.start, tensor.end))
    raw = [f for f in inside if f.number == _RAW and f.kind == LENGTH]
    if raw:
        last = raw[-1]  # of a field that should come once, the last counts
        return [Replacement(last.start, last.end, merged(content[last.start : last.end], old, new))], []
    data = [f for f in inside if f.number in _FIELDS and getattr(proto, _FIELDS[f.number][0])]
    if len({f.number for f in data}) > 1:
        raise ValueError("expected its data in one field, got several")
    return _numbers(content, data, old, new), [f for f in data if f.kind == LENGTH]


def _numbers(content: bytes, data: list[Field], old: NDArray[Any], new: NDArray[Any]) -> list[Replacement]:
    """Replacements for the units that differ, in a field of numbers."""
    edits, position = list[Replacement](), 0
    for field in data:
        width = _FIELDS[field.number][1]
        ends = _ends(content, field, width)
        some = slice(position, position + len(ends))
        position += len(ends)
        if position > len(old):
            break
        if not width:
            edits += _varints(field.start, ends, old[some], new[some])
        elif (old[some] != new[some]).any():
            held = content[field.start : field.end]
            edits.append(Replacement(field.start, field.end, merged(held, old[some], new[some])))
    if position != len(old):
        raise ValueError(f"expected {len(old)} numbers of data, got {'more' if position > len(old) else position}")
    return edits


def _varints(start: int, ends: NDArray[np.int64], old: NDArray[Any], new: NDArray[Any]) -> Iterator[Replacement]:
    starts = np.concatenate([[start], ends[:-1]])
    for i in np.flatnonzero(old != new):
        yield Replacement(int(starts[i]), int(ends[i]), varint(int(new[i])))


def _ends(content: bytes, field: Field, width: int) -> NDArray[np.int64]:
    """Where each number of a field ends."""
    if width:
        return np.arange(field.start + width, field.end + 1, width)
    payload = np.frombuffer(content, np.uint8, field.end - field.start, field.start)
    return np.flatnonzero(payload < 0x80) + field.start + 1
