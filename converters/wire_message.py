"""An ONNX file as messages over its own bytes: read by us, before any parser of a library sees the file.

Numbers, text and tensors are not copied: a message knows where each of its fields lies. What onnx.proto does not know,
or what stands there with the wrong wire type, is kept apart as unknown, as protobuf's parsers do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from struct import unpack_from
from typing import Any, NamedTuple

from .wire import FIXED32, FIXED64, LENGTH, VARINT, WireError, read_varint, varint
from .wire_schema import MESSAGES, FieldType, Holds

__all__ = ["Message", "Span", "Unknown", "WireLimits", "Wires", "parse"]

_WIRE_TYPES = {Holds.MESSAGE: LENGTH, Holds.TEXT: LENGTH, Holds.VARINT: VARINT, Holds.FIXED32: FIXED32,
               Holds.FIXED64: FIXED64}  # fmt: skip
_WIDTHS = {FIXED32: 4, FIXED64: 8}
_BULK = ("strings", "string_data")  # texts by the million, of which only the extent matters here
_KEPT = 100  # unknown fields that are told one by one
_SIGN, _RANGE = 1 << 63, 1 << 64


class WireLimits(NamedTuple):
    """What a file may be made of: messages inside messages, and fields in all."""

    depth: int
    fields: int


class Span(NamedTuple):
    """Bytes of the file: one text, or a row of numbers; ``packed`` ones stand without tags."""

    start: int
    end: int
    packed: bool = True


class Unknown(NamedTuple):
    """A field that onnx.proto does not have: its number, the type of message that it stands in, and its bytes."""

    message: str
    number: int
    start: int
    end: int


@dataclass
class Wires:
    """What is counted while a file is read: fields, and those that are unknown (the first hundred one by one)."""

    limits: WireLimits
    fields: int = 0
    unknown: list[Unknown] = field(default_factory=list)
    unknown_fields: int = 0
    unknown_bytes: int = 0

    def count(self) -> None:
        """Count a field.

        Raises:
            WireError: it is one too many.
        """
        self.fields += 1
        if self.fields > self.limits.fields:
            raise WireError(f"expected at most {self.limits.fields} fields, got more")

    def met(self, unknown: Unknown) -> None:
        """Note an unknown field."""
        self.unknown_fields += 1
        self.unknown_bytes += unknown.end - unknown.start
        if len(self.unknown) < _KEPT:
            self.unknown.append(unknown)


class Message:
    """One message: where it lies, and its fields by name."""

    __slots__ = ("content", "end", "start", "type", "values")

    def __init__(self, content: bytes, type: str, start: int, end: int) -> None:
        self.content, self.type, self.start, self.end = content, type, start, end
        self.values: dict[str, list[Any]] = {}  # messages, spans or numbers, by the field's type

    def has(self, name: str) -> bool:
        """Whether the field is there."""
        return name in self.values

    def messages(self, name: str) -> list[Message]:
        """Inner messages, in order."""
        return self.values.get(name, [])

    def message(self, name: str) -> Message | None:
        """The inner message of a field that comes once; None if it is not there."""
        return next(iter(self.messages(name)), None)

    def spans(self, name: str) -> list[Span]:
        """Where the texts or the rows of numbers of a field lie."""
        return self.values.get(name, [])

    def size(self, name: str) -> int:
        """Bytes of the field in all."""
        return sum(span.end - span.start for span in self.spans(name))

    def text(self, name: str) -> str:
        """A text that comes once: the last counts, as for protobuf's parsers; "" if it is not there."""
        spans = self.spans(name)
        return self._decoded(spans[-1]) if spans else ""

    def texts(self, name: str) -> list[str]:
        """Texts of a field that may come more than once."""
        return [self._decoded(span) for span in self.spans(name)]

    def integer(self, name: str, default: int = 0) -> int:
        """A signed whole number that comes once: the last counts."""
        found = self.values.get(name)
        return _signed(found[-1]) if found else default

    def small_integer(self, name: str, default: int = 0) -> int:
        """A whole number of 32 bits that comes once, cut as protobuf's parsers cut longer ones."""
        cut = self.integer(name, default) & 0xFFFFFFFF
        return cut - (1 << 32) if cut >> 31 else cut

    def integers(self, name: str, most: int = 1 << 20) -> list[int]:
        """The signed whole numbers of a repeated field; the first ``most`` of very many."""
        found: list[int] = []
        for span in self.spans(name):
            position = span.start
            while position < span.end and len(found) < most:
                if not span.packed:
                    position = read_varint(self.content, position, span.end)[1]
                value, position = read_varint(self.content, position, span.end)
                found.append(_signed(value))
        return found

    def floats(self, name: str, most: int = 1 << 20) -> list[float]:
        """The numbers of a repeated field of 4 bytes each; the first ``most`` of very many."""
        found: list[float] = []
        for span in self.spans(name):
            step, skip = (4, 0) if span.packed else (5, 1)
            starts = range(span.start + skip, span.end - 3, step)[: most - len(found)]
            found += (unpack_from("<f", self.content, start)[0] for start in starts)
        return found

    def walk(self) -> Iterator[Message]:
        """This message and all inside it."""
        yield self
        for values in self.values.values():
            for value in values:
                if isinstance(value, Message):
                    yield from value.walk()

    def _decoded(self, span: Span) -> str:
        return self.content[span.start : span.end].decode(errors="replace")


def parse(content: bytes, type: str, wires: Wires, start: int = 0, end: int | None = None, depth: int = 1) -> Message:
    """Read a message of a type of ``wire_schema.MESSAGES``, and all inside it.

    Raises:
        WireError: it is damaged, a message that may come once comes twice, or it is over one of the limits.
    """
    if depth > wires.limits.depth:
        raise WireError(f"expected at most {wires.limits.depth} messages inside one another, got more")
    message = Message(content, type, start, len(content) if end is None else end)
    known, position, stop = MESSAGES[type], message.start, message.end
    while position < stop:
        tag, position = read_varint(content, position, stop)
        wires.count()
        first, position = _payload(content, tag, position, stop)
        entry = known.get(tag >> 3)
        if entry is None or not _fits(entry, tag & 7):
            wires.met(Unknown(type, tag >> 3, first, position))
        elif entry.holds is Holds.MESSAGE:
            if not entry.repeated and entry.name in message.values:
                raise WireError(f"the field {entry.name!r} of a {type}, which may come once, comes more than once")
            inner = parse(content, entry.message, wires, first, position, depth + 1)
            message.values.setdefault(entry.name, []).append(inner)
        else:
            position = _leaf(message, entry, tag, first, position)
    return message


def _payload(content: bytes, tag: int, position: int, stop: int) -> tuple[int, int]:
    """First byte of a field's payload, and the one behind it."""
    kind = tag & 7
    if not 0 < tag >> 3 < 1 << 29:
        raise WireError(f"a field has the number {tag >> 3}")
    if kind == LENGTH:
        length, first = read_varint(content, position, stop)
        last = first + length
    elif kind == VARINT:
        first, last = position, read_varint(content, position, stop)[1]
    elif kind in _WIDTHS:
        first, last = position, position + _WIDTHS[kind]
    else:
        raise WireError(f"field {tag >> 3} has the wire type {kind}")
    if last > stop:
        raise WireError(f"field {tag >> 3} reaches {last - stop} bytes over its message's end")
    return first, last


def _fits(entry: FieldType, kind: int) -> bool:
    packed = kind == LENGTH and entry.repeated and entry.holds in (Holds.VARINT, Holds.FIXED32, Holds.FIXED64)
    return packed or kind == _WIRE_TYPES[entry.holds]


def _leaf(message: Message, entry: FieldType, tag: int, first: int, last: int) -> int:
    """Note a field of text or numbers, the run of like ones behind it included; returns where it ends."""
    values = message.values.setdefault(entry.name, [])
    kind = tag & 7
    if entry.name in _BULK and values:
        values[-1] = Span(values[-1].start, last)
    elif kind == LENGTH:
        values.append(Span(first, last))
    elif not entry.repeated:
        number = read_varint(message.content, first, last)[0] if kind == VARINT else 0
        values.append(number)
    else:
        run = _run(tag).match(message.content, last, message.end)
        last = run.end() if run else last
        values.append(Span(first - len(varint(tag)), last, packed=False))
    return last


@cache
def _run(tag: int) -> re.Pattern[bytes]:
    """Numbers written one by one, each behind the same tag."""
    width = _WIDTHS.get(tag & 7)
    number = rb"[\x80-\xff]{0,9}[\x00-\x7f]" if width is None else rb".{%d}" % width
    return re.compile(rb"(?:%s%s)*+" % (re.escape(varint(tag)), number), re.DOTALL)


def _signed(value: int) -> int:
    return value - _RANGE if value & _SIGN else value
