"""Tensors whose data, shape and declarations do not go together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...converters.messages import one_line
from ..findings import Finding, Severity
from . import Precision, Rule

if TYPE_CHECKING:
    from ...converters.wire_message import Message
    from ..audited_file import AuditedFile

__all__ = ["ShapeDisagreement"]

_MOST = 5


@dataclass(frozen=True, kw_only=True)
class ShapeDisagreement(Rule):
    """A tensor has more or fewer bytes than its shape needs, or is declared elsewhere with another shape or type.

    Means: readers disagree on what the tensor is, and some read beyond its end; bytes beyond the shape are a place to
    hide things in.

    Confirm: multiply the axes by the size of the type, and compare with the number of bytes that the finding names.

    Fix: do not use the file; export the model again.

    False positives: a batch axis fixed after the graph's declarations were written differs in one of them only; data
    types younger than this tool are not judged.
    """

    severity: ClassVar[Severity] = Severity.HIGH
    precision: ClassVar[Precision] = Precision.HIGH

    def check(self, file: AuditedFile) -> Iterator[Finding]:
        """See ``Rule.check``."""
        told = 0
        for where, message in (*_misfits(file), *_misdeclared(file.survey.root)):
            if told < _MOST:
                told += 1
                yield self.finding(where, message)


def _misfits(file: AuditedFile) -> Iterator[tuple[str, str]]:
    from ...converters.wire_values import BITS, elements

    for tensor in file.survey.tensors:
        bits, count = BITS.get(tensor.small_integer("data_type"), 0), elements(tensor)
        held, what = _held(tensor)
        needed = -(-count * bits // 8)
        if bits and held is not None and held != needed:
            name = f"tensor {one_line(tensor.text('name'), 80)!r}"
            yield name, f"{name} has {held:,} bytes of {what}, and its shape needs {needed:,}."


def _held(tensor: Message) -> tuple[int | None, str]:
    """Bytes whose number the shape settles."""
    if tensor.small_integer("data_location") == 1:
        entries = {m.text("key"): m.text("value") for m in tensor.messages("external_data")}
        length = entries.get("length", "")
        return (int(length) if length.isascii() and length.isdigit() and len(length) < 19 else None), "external data"
    if tensor.size("raw_data"):
        return tensor.spans("raw_data")[-1].end - tensor.spans("raw_data")[-1].start, "raw_data"
    for name, width in (("float_data", 4), ("double_data", 8)):
        packed = all(span.packed for span in tensor.spans(name))
        if tensor.size(name) and packed and tensor.small_integer("data_type") == (1 if width == 4 else 11):
            return tensor.size(name), name
    return None, ""


def _misdeclared(root: Message) -> Iterator[tuple[str, str]]:
    """Initializers that the graph's inputs or values declare otherwise."""
    for graph in (m for m in root.walk() if m.type == "Graph"):
        declared = {v.text("name"): v for field in ("value_info", "input") for v in graph.messages(field)}
        for tensor in graph.messages("initializer"):
            name = tensor.text("name")
            told = _declaration(declared[name]) if name in declared else None
            real = tensor.small_integer("data_type"), tensor.integers("dims", 64)
            if told and (told[0] not in (0, real[0]) or not _agree(told[1], real[1])):
                shown = one_line(name, 80)
                yield f"initializer {shown!r}", f"initializer {shown!r} is {real[1]}, and declared as {told[1]}."


def _declaration(value: Message) -> tuple[int, list[int | None] | None] | None:
    """Type of the elements and shape; None where it is no tensor."""
    kind = value.message("type")
    tensor = kind.message("tensor_type") if kind else None
    if tensor is None:
        return None
    shape = tensor.message("shape")
    axes = [d.integer("dim_value") if d.has("dim_value") else None for d in shape.messages("dim")] if shape else None
    return tensor.small_integer("elem_type"), axes


def _agree(declared: list[int | None] | None, real: list[int]) -> bool:
    if declared is None:
        return True
    return len(declared) == len(real) and all(d in (None, 0, -1, r) for d, r in zip(declared, real, strict=True))
