"""Weights kept in a file outside the model's folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...converters.messages import one_line
from ..errors import ModelError
from ..findings import Finding, Severity
from . import Precision, Rule
from ._external import Pointer, pointers

if TYPE_CHECKING:
    from ..audited_file import AuditedFile

__all__ = ["ExternalDataOutside"]

_KEYS = {"location", "offset", "length", "checksum", "basepath"}
_MOST = 5


@dataclass(frozen=True, kw_only=True)
class ExternalDataOutside(Rule):
    """A tensor takes its bytes from a file outside the model's folder, or asks its reader for more than a place.

    Absolute paths, drives, `..`, control characters, links that lead out, files with a second name (hard links), and
    entries that the format does not have, wherever the tensor stands: in branches, functions, sparse tensors or
    defaults. Links of a Hugging Face cache into the same repository's `blobs` are as they should be. Data that is not
    there is a note: what is in it could not be audited.

    Means: who loads the file reads another of this machine's files into memory (a key, say), and may hand it on as an
    output of the network; libraries have followed such paths (CVE-2022-25882, CVE-2024-27318, CVE-2026-27489,
    CVE-2026-34446) and set attributes that an entry named (CVE-2026-34445).

    Confirm: look at the location that the finding names; no exporter writes such a one.

    Fix: do not load the file with any tool; get it again from its source. onnxray does not follow the path.

    False positives: a folder whose files are hard links to a store's, which some package and data managers make; copy
    the files.
    """

    severity: ClassVar[Severity] = Severity.CRITICAL
    precision: ClassVar[Precision] = Precision.VERY_HIGH

    def check(self, file: AuditedFile) -> Iterator[Finding]:
        """See ``Rule.check``."""
        told = set[tuple[str, str]]()
        for pointer in pointers(file):
            for severity, message in _problems(pointer):
                kind = severity, message.removeprefix(pointer.name)
                if kind not in told and len(told) < _MOST:
                    told.add(kind)
                    yield self.finding(pointer.name, message, severity)


def _problems(pointer: Pointer) -> Iterator[tuple[Severity, str]]:
    from ...converters.external_data import DataMissing

    if unknown := sorted(set(pointer.entries) - _KEYS):
        names = ", ".join(repr(one_line(name, 40)) for name in unknown[:5])
        yield Severity.HIGH, f"{pointer.name} gives its external data the entries {names}, which the format has not."
    try:
        status = pointer.file().stat()
    except DataMissing as error:
        yield Severity.NOTE, f"{error}; its values were not audited."
        return
    except ModelError as error:
        yield Severity.CRITICAL, f"{error}."
        return
    if status.st_nlink > 1:
        yield Severity.CRITICAL, f"{pointer.name} keeps its data in a file with {status.st_nlink} names (hard links)."
    if pointer.span(status.st_size) is None:
        yield Severity.MEDIUM, f"{pointer.name} claims bytes that its file of {status.st_size} bytes does not have."
