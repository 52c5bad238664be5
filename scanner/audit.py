"""The static audit: every rule on one file; a rule that breaks is a failure to be told, never a pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from traceback import format_exc

from ..converters.messages import one_line
from .audited_file import AuditedFile
from .findings import Failure, Finding, Severity
from .registry import plugins
from .rules import Rule

__all__ = ["FAMILY", "SEVERITIES", "Audit", "all_rules", "audit"]

FAMILY = "onnxray.scanner.rules"
SEVERITIES = tuple(Severity)
"""In rising order."""


@dataclass(frozen=True)
class Audit:
    """What the rules found in one file, worst first, which of them ran, and which broke."""

    findings: tuple[Finding, ...]
    ran: tuple[str, ...]
    failures: tuple[Failure, ...]

    @property
    def worst(self) -> Severity | None:
        """The severity of the first finding; None without any."""
        return self.findings[0].severity if self.findings else None


@cache
def all_rules() -> Mapping[str, type[Rule]]:
    """Every rule, id -> class."""
    return plugins(FAMILY, Rule)  # type: ignore[type-abstract]


def audit(file: AuditedFile, rules: Mapping[str, type[Rule]] | None = None) -> Audit:
    """Check a file with every rule, or with these."""
    findings: list[Finding] = []
    ran: list[str] = []
    failures: list[Failure] = []
    for name, rule in (all_rules() if rules is None else rules).items():
        try:
            findings += rule().check(file)
        except Exception as error:  # noqa: BLE001 - a file made to break one rule must not silence the others
            why = f"{type(error).__name__}: {one_line(error, 300)}"
            failures.append(Failure(name, why, format_exc()))
        else:
            ran.append(name)
    findings.sort(key=lambda finding: -SEVERITIES.index(finding.severity))
    return Audit(tuple(findings), tuple(ran), tuple(failures))
