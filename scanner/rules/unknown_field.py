"""Bytes in fields that the format does not have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..findings import Finding, Severity
from . import Precision, Rule
from ._payload import kind_of

if TYPE_CHECKING:
    from ..audited_file import AuditedFile

__all__ = ["UnknownField"]


@dataclass(frozen=True, kw_only=True)
class UnknownField(Rule):
    """Fields that onnx.proto does not define: every reader skips them, and most writers carry them along.

    It is high where one of them begins like a program, an archive or a pickle.

    Means: a place to hide things in: no viewer shows it, and the model works as before.

    Confirm: `protoc --decode_raw` shows the field; its number and the message that it stands in are in the finding.

    Fix: rebuild the file from its known fields (`onnx.ModelProto.DiscardUnknownFields`), or export it again.

    False positives: a file written with a newer version of the format than this tool knows.
    """

    severity: ClassVar[Severity] = Severity.HIGH
    precision: ClassVar[Precision] = Precision.MEDIUM

    def check(self, file: AuditedFile) -> Iterator[Finding]:
        """See ``Rule.check``."""
        wires = file.survey.wires
        if not wires.unknown:
            return
        kinds = {kind for u in wires.unknown if (kind := kind_of(file.content[u.start : u.start + 64]))}
        places = sorted({f"{u.message} field {u.number}" for u in wires.unknown})
        begins = f"; one begins like {' and '.join(sorted(kinds))}" if kinds else ""
        yield self.finding(
            places[0],
            f"{wires.unknown_fields} fields with {wires.unknown_bytes:,} bytes are unknown to the format "
            f"({', '.join(places[:4])}){begins}.",
            None if kinds else Severity.MEDIUM,
        )
