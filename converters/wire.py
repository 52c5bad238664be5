"""Protobuf's wire format, as far as it takes to replace bytes deep inside a message and leave all others alone.

A message is a row of fields: a tag (number and kind) and a payload, which for text, bytes, packed numbers and inner
messages starts with its length (https://protobuf.dev/programming-guides/encoding).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

__all__ = [
    "FIXED32", "FIXED64", "LENGTH", "VARINT", "Field", "Replacement", "WireError", "fields", "read_varint", "splice",
    "varint",
]  # fmt: skip

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_WIDTHS = {FIXED64: 8, FIXED32: 4}


class WireError(ValueError):
    """The bytes are no protobuf message of the kind that ONNX writes."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message, as offsets into the whole file.

    Attributes:
        number: its number in the message's definition.
        kind: VARINT, FIXED64, LENGTH or FIXED32.
        prefix: where its payload's length stands; for the other kinds the same as `start`.
        start: first byte of its value.
        end: first byte behind it.
    """

    number: int
    kind: int
    prefix: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Replacement:
    """New bytes for the file's bytes from `start` to `end`."""

    start: int
    end: int
    data: bytes


def fields(content: bytes, start: int, end: int) -> Iterator[Field]:
    """The fields of the message between two offsets, in order.

    Raises:
        WireError: a field reaches over the end, or is of a kind that ONNX does not use.
    """
    while start < end:
        tag, prefix = read_varint(content, start, end)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            first, start = prefix, read_varint(content, prefix, end)[1]
        elif kind == LENGTH:
            length, first = read_varint(content, prefix, end)
            start = first + length
        elif kind in _WIDTHS:
            first, start = prefix, prefix + _WIDTHS[kind]
        else:
            raise WireError(f"field {number} has the wire type {kind}")
        if start > end:
            raise WireError(f"field {number} reaches {start - end} bytes over its message's end")
        yield Field(number, kind, prefix, first, start)


def varint(value: int) -> bytes:
    """A whole number in seven bits a byte, lowest first; a negative one as its two's complement of 64 bits."""
    value &= 2**64 - 1
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*data, value])


def splice(content: bytes, replacements: Iterable[Replacement], enclosing: Iterable[Field]) -> bytes:
    """Return the content with bytes replaced, and with the lengths of the enclosing fields made to fit.

    Args:
        content: the whole file.
        replacements: they do not overlap.
        enclosing: every field of kind LENGTH that has one of the replacements inside; those whose length stays keep
            their bytes.
    """
    edits = list(replacements)
    for field in sorted(set(enclosing), key=lambda f: f.end - f.start):  # inner ones first: their own lengths may grow
        inside = [edit for edit in edits if field.start <= edit.start and edit.end <= field.end]
        if growth := sum(len(edit.data) - (edit.end - edit.start) for edit in inside):
            edits.append(Replacement(field.prefix, field.start, varint(field.end - field.start + growth)))
    edits.sort(key=lambda edit: edit.start)
    marks = [Replacement(0, 0, b""), *edits, Replacement(len(content), len(content), b"")]
    view = memoryview(content)
    return b"".join(part for one, two in pairwise(marks) for part in (one.data, view[one.end : two.start]))


def read_varint(content: bytes, start: int, end: int) -> tuple[int, int]:
    """The whole number at an offset, below 2^64, and the offset behind it.

    Raises:
        WireError: it does not end before ``end``, or has more than ten bytes.
    """
    if start < end and content[start] < 0x80:
        return content[start], start + 1
    value = 0
    for i, byte in enumerate(content[start : min(end, start + 10)]):
        value |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return value & (2**64 - 1), start + i + 1
    raise WireError(f"no whole number at byte {start}")
