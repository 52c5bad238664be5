"""Code or archives in a file's notes."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...converters.messages import one_line
from ..findings import Finding, Severity
from . import Precision, Rule
from ._payload import kind_of

if TYPE_CHECKING:
    from ...converters.wire_message import Message
    from ..audited_file import AuditedFile

__all__ = ["PayloadInMetadata"]

_CODE = re.compile(
    rb"(?<![\w.])(?:exec|eval|__import__|compile)\s*\(|\bos\.(?:system|popen|exec\w*)\s*\(|\bsubprocess\.\w+\s*\("
    rb"|\b(?:pickle|marshal|dill)\.loads\s*\(|\bpowershell(?:\.exe)?\s+-|\b(?:curl|wget)\s[^\n]{0,200}\|\s*(?:ba)?sh\b"
)
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{80,}={0,2}")
_MOST = 10


@dataclass(frozen=True, kw_only=True)
class PayloadInMetadata(Rule):
    """Metadata or documentation, of the model or of any graph, node, value, tensor or function, that holds a payload.

    Programs, archives and pickles, plain or in base64, are high; text that calls exec, os.system or a shell is medium.

    Means: nothing runs it by itself; a loader that comes with the model, or that trusts metadata, would.

    Confirm: read the entry that the finding names, and look for code around the model that reads it.

    Fix: remove the entry, or export the model again.

    False positives: traces of source lines that exporters leave in nodes' metadata are looked at for programs only, not
    for code; a tokenizer or a licence in base64 has no such beginning.
    """

    severity: ClassVar[Severity] = Severity.HIGH
    precision: ClassVar[Precision] = Precision.HIGH

    def check(self, file: AuditedFile) -> Iterator[Finding]:
        """See ``Rule.check``."""
        told = 0
        for where, text, is_entry in _notes(file.survey.root):
            kind = _hidden(text)
            code = _CODE.search(text) if is_entry and not kind else None
            if told < _MOST and kind:
                told += 1
                yield self.finding(where, f"{where} holds {kind} in {len(text):,} bytes of text.")
            elif told < _MOST and code:
                told += 1
                shown = one_line(text[max(0, code.start() - 20) : code.end() + 40].decode(errors="replace"), 80)
                yield self.finding(where, f"{where} holds code: {shown!r}.", Severity.MEDIUM)


def _notes(root: Message) -> Iterator[tuple[str, bytes, bool]]:
    """Every note with its place, and whether it is an entry of the model's or a graph's own metadata."""
    for message in (m for m in root.walk() if m.has("doc_string") or m.has("metadata_props")):
        name = message.text("name") if message.type not in ("Model", "StringStringEntry") else ""
        owner = f"{message.type.lower()} {one_line(name, 60)!r}" if name else message.type.lower()
        for span in message.spans("doc_string"):
            yield f"documentation of {owner}", message.content[span.start : span.end], message.type == "Model"
        for entry in message.messages("metadata_props"):
            for span in (*entry.spans("key"), *entry.spans("value")):
                where = f"metadata {one_line(entry.text('key'), 60)!r} of {owner}"
                traced = message.type in ("Node", "ValueInfo") and b"stack_trace" in entry.text("key").encode()
                yield where, message.content[span.start : span.end], not traced


def _hidden(text: bytes) -> str:
    """What the text is, or what stands in it in base64; "" for nothing known."""
    if kind := kind_of(text):
        return kind
    for found in _BASE64.finditer(text):
        try:
            start = base64.b64decode(found[0][:80])
        except binascii.Error:
            continue
        if kind := kind_of(start):
            return f"{kind} in base64"
    return ""
