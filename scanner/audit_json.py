"""The JSON contract ``onnxray/audit/1``: one object, in one line, for one file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct

from ..converters.messages import one_line
from .answers import Suppression
from .audit import Audit
from .audited_file import AuditedFile
from .contract import LIMITS, Check, Finding, Tool, encode
from .findings import Severity
from .reports._translate import finding_of
from .version import __version__

__all__ = ["audit_contract", "audit_error"]


class File(Struct, frozen=True):
    """The file that was read; hash and size are null where it could not be."""

    path: str
    sha256: str | None = None
    bytes: int | None = None


class AuditContract(Struct, frozen=True):
    """One file's audit; ``error`` says why it could not be read, ``accepted`` why findings of a rule do not count."""

    schema: Literal["onnxray/audit/1"]
    tool: Tool
    model: File
    worst: Severity | None
    findings: list[Finding]
    coverage: list[Check]
    error: str | None
    limits: str
    accepted: dict[str, str] = {}


def audit_contract(file: AuditedFile, found: Audit, accepted: Mapping[str, Suppression] | None = None) -> str:
    """The audit as a line of JSON, without characters that could repaint a terminal.

    Args:
        file: what was read.
        found: what the rules found in it.
        accepted: rule -> what accepts its findings.
    """
    ran = [Check(rule, "ran", "") for rule in found.ran]
    failed = [Check(failure.check, "failed", one_line(failure.why, 400)) for failure in found.failures]
    contract = AuditContract(
        schema="onnxray/audit/1",
        tool=Tool(name="onnxray", version=__version__),
        model=File(_text(file.path), file.sha256, file.size),
        worst=found.worst,
        findings=[finding_of(finding) for finding in found.findings],
        coverage=[*ran, *failed],
        error=None,
        limits=LIMITS,
        accepted={rule: one_line(one.reason, 400) for rule, one in (accepted or {}).items()},
    )
    return encode(contract, -1)


def audit_error(path: Path, error: Exception) -> str:
    """The same for a file that could not be read."""
    contract = AuditContract(
        schema="onnxray/audit/1",
        tool=Tool(name="onnxray", version=__version__),
        model=File(_text(path)),
        worst=None,
        findings=[],
        coverage=[],
        error=one_line(error, 1000),
        limits=LIMITS,
    )
    return encode(contract, -1)


def _text(path: Path) -> str:
    """A path, with bytes that are no UTF-8 spelled out."""
    return str(path).encode("utf-8", "backslashreplace").decode()
