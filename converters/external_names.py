"""Where a file says that its external data lies, read from its bytes without any parser of a library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .wire import LENGTH, VARINT, WireError, fields, read_varint
from .wire_schema import MESSAGES

__all__ = ["External", "externals"]

_DEPTH = 64
_FIELDS = 5_000_000
_EXTERNAL = 1  # TensorProto.EXTERNAL
_INSIDE = {  # what holds tensors, in the order in which ``graphs.tensors`` walks it
    "Model": ("graph", "functions", "training_info"),
    "Graph": ("initializer", "sparse_initializer", "node"),
    "Node": ("attribute",),
    "Attribute": ("t", "tensors", "sparse_tensor", "sparse_tensors", "graphs", "g"),
    "Function": ("node",),
    "TrainingInfo": ("initialization", "algorithm"),
    "SparseTensor": ("values", "indices"),
}


@dataclass(frozen=True)
class External:
    """A tensor whose data lies elsewhere: its name, and all that it says of the place."""

    tensor: str
    entries: dict[str, str]


def externals(content: bytes) -> Iterator[External]:
    """Every tensor with external data, in the order in which ``load`` reads them.

    Raises:
        WireError: the file is damaged, or far larger in fields or depth than any model; ``survey`` refuses it too.
    """
    return _Walk(content).tensors("Model", 0, len(content), 0)


class _Walk:
    """One pass over a file, with its budget of fields."""

    def __init__(self, content: bytes) -> None:
        self.content, self.left = content, _FIELDS

    def tensors(self, kind: str, start: int, end: int, depth: int) -> Iterator[External]:
        """Those inside one message of a kind of ``_INSIDE``."""
        if depth > _DEPTH:
            raise WireError(f"expected at most {_DEPTH} messages inside one another, got more")
        wanted = {n: f for n, f in MESSAGES[kind].items() if f.name in _INSIDE[kind]}
        found: dict[str, list[tuple[int, int]]] = {}
        for number, _, first, last in self._fields(start, end):
            if number in wanted:
                found.setdefault(wanted[number].name, []).append((first, last))
        inner = {f.name: f.message for f in wanted.values()}
        for name in _INSIDE[kind]:
            for first, last in found.get(name, ()):
                if inner[name] != "Tensor":
                    yield from self.tensors(inner[name], first, last, depth + 1)
                elif external := self._external(first, last):
                    yield external

    def _external(self, start: int, end: int) -> External | None:
        outside, name, entries = False, b"", dict[str, str]()
        for number, kind, first, last in self._fields(start, end):
            if number == 14 and kind == VARINT:
                outside = read_varint(self.content, first, last)[0] & 0xFFFFFFFF == _EXTERNAL
            elif number == 8 and kind == LENGTH:
                name = self.content[first:last]
            elif number == 13 and kind == LENGTH:
                texts = {n: self.content[a:b] for n, k, a, b in self._fields(first, last) if k == LENGTH}
                entries[texts.get(1, b"").decode(errors="replace")] = texts.get(2, b"").decode(errors="replace")
        return External(name.decode(errors="replace"), entries) if outside else None

    def _fields(self, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        for field in fields(self.content, start, end):
            self.left -= 1
            if self.left < 0:
                raise WireError(f"expected at most {_FIELDS} fields, got more")
            yield field.number, field.kind, field.start, field.end
