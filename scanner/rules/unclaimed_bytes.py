"""Bytes beside the model that no tensor claims."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ...converters.messages import one_line
from ..errors import ModelError
from ..findings import Finding, Severity
from . import Precision, Rule
from ._external import pointers
from ._payload import kind_of

if TYPE_CHECKING:
    from ..audited_file import AuditedFile

__all__ = ["UnclaimedBytes"]

_CHUNK = 1 << 20
Span = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class UnclaimedBytes(Rule):
    """A file of external data has bytes between, before or behind the tensors' that are not zero.

    High where they begin like a program, an archive or a pickle. Exporters align tensors and fill up with zeros.

    Means: a place to carry data past a scanner: no reader of the model ever looks there.

    Confirm: cut the bytes out at the offset that the finding names, and ask `file` what they are.

    Fix: save the model anew with its data inside (`onnx.save`), which leaves such bytes behind.

    False positives: a file of weights that several models share.
    """

    severity: ClassVar[Severity] = Severity.HIGH
    precision: ClassVar[Precision] = Precision.MEDIUM

    def check(self, file: AuditedFile) -> Iterator[Finding]:
        """See ``Rule.check``."""
        for place, (location, claimed) in _claims(file).items():
            size, begins, first = 0, "", -1
            for start, end in _gaps(claimed, place.stat().st_size):
                extent, at, kind = _content(place, start, end)
                size, first = size + extent, (at if first < 0 else first)
                begins = begins or kind
            if size:
                what = f"; they begin like {begins}" if begins else ""
                shown = one_line(location, 80)
                yield self.finding(
                    f"external data {shown!r}",
                    f"{size:,} bytes of {shown!r} that are not zero belong to no tensor, from byte {first:,} on{what}.",
                    None if begins else Severity.MEDIUM,
                )


def _claims(file: AuditedFile) -> dict[Path, tuple[str, list[Span]]]:
    """What the tensors claim of each file that is there and inside the model's folder."""
    found: dict[Path, tuple[str, list[Span]]] = {}
    for pointer in pointers(file):
        try:
            place = pointer.file()
            size = place.stat().st_size
        except (ModelError, OSError):
            continue  # told by external-data-outside
        span = pointer.span(size)
        if span and place.is_file():
            found.setdefault(place, (pointer.location, []))[1].append(span)
    return found


def _gaps(claimed: Sequence[Span], size: int) -> Iterator[Span]:
    reached = 0
    for start, end in sorted(claimed):
        if start > reached:
            yield reached, start
        reached = max(reached, end)
    if size > reached:
        yield reached, size


def _content(place: Path, start: int, end: int) -> tuple[int, int, str]:
    """How many bytes of a range are not zero, where the first is, and what they begin like."""
    count, first, kind = 0, -1, ""
    with place.open("rb") as file:
        file.seek(start)
        while start < end and (chunk := file.read(min(_CHUNK, end - start))):
            own = chunk.lstrip(b"\0")
            if own and first < 0:
                first, kind = start + len(chunk) - len(own), kind_of(own[:64])
            count += len(chunk) - chunk.count(0)
            start += len(chunk)
    return count, first, kind
