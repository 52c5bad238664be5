"""Constants that nothing reads and that are no weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...converters.messages import one_line
from ..findings import Finding, Severity
from . import Precision, Rule
from ._payload import kind_of
from ._weights import bytes_of, entropy, is_no_weight

if TYPE_CHECKING:
    from ...converters.wire_message import Message
    from ..audited_file import AuditedFile

__all__ = ["PayloadInUnusedTensor"]

_LARGE = 4096  # bytes; below, entropy and spread say little
_RANDOM = 7.9  # bits a byte, of 8
_MOST = 10


@dataclass(frozen=True, kw_only=True)
class PayloadInUnusedTensor(Rule):
    """An initializer or constant that no node and no output reads, with bytes that look like something else.

    High where it begins like a program, an archive or a pickle; medium where it is declared as numbers with a point and
    is spread as no weights are, as encrypted data is; a note where it is merely unused. The bytes of tensors that are
    in use are never looked at so: every weight file has such patterns by chance.

    Means: a place to carry data past a scanner; nothing runs it by itself.

    Confirm: write the tensor's bytes to a file, and ask `file` what it is.

    Fix: remove the initializer; the answers stay the same.

    False positives: left over from training or from an optimiser of graphs, which is the note.
    """

    severity: ClassVar[Severity] = Severity.HIGH
    precision: ClassVar[Precision] = Precision.MEDIUM

    def check(self, file: AuditedFile) -> Iterator[Finding]:
        """See ``Rule.check``."""
        unused = list(_unused(file.survey.root))
        told = 0
        for name, tensor in unused:
            content = bytes_of(file, tensor)
            size, where = len(content), f"initializer {one_line(name, 80)!r}"
            if told < _MOST and (kind := kind_of(bytes(content[:64]))):
                told += 1
                yield self.finding(where, f"{where}, which nothing reads, holds {kind} ({size:,} bytes).")
            elif told < _MOST and size >= _LARGE and is_no_weight(tensor, content) and entropy(content) > _RANDOM:
                told += 1
                message = f"{where}, which nothing reads, holds {size:,} bytes that are spread as no weights are."
                yield self.finding(where, message, Severity.MEDIUM)
        if unused and not told:
            names = ", ".join(repr(one_line(name, 40)) for name, _ in unused[:3])
            yield self.finding("file", f"{len(unused)} constants are read by nothing ({names}).", Severity.NOTE)


def _unused(root: Message) -> Iterator[tuple[str, Message]]:
    for scope in root.walk():
        if scope.type not in ("Graph", "Function"):
            continue
        read = _read(scope)
        for tensor in scope.messages("initializer"):
            if tensor.text("name") not in read:
                yield tensor.text("name"), tensor
        for node in scope.messages("node"):
            if node.text("op_type") == "Constant" and read.isdisjoint(node.texts("output")):
                yield from ((node.texts("output")[0], t) for a in node.messages("attribute") for t in a.messages("t"))


def _read(scope: Message) -> set[str]:
    """Every name that a node or an output of the graph, or of a body inside, reads."""
    names = set(scope.texts("output")) if scope.type == "Function" else set[str]()
    for message in scope.walk():
        if message.type == "Node":
            names.update(message.texts("input"))
        elif message.type == "Graph":
            names.update(value.text("name") for value in message.messages("output"))
    return names
