"""What every rule keeps to, and what becomes of one that breaks."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from typing import ClassVar

import pytest
from onnxray.models.bundled_files import bundled
from onnxray.scanner.audit import all_rules, audit
from onnxray.scanner.audited_file import AuditedFile
from onnxray.scanner.findings import Finding, Severity
from onnxray.scanner.rules import HEADINGS, Precision, Rule

RULES = all_rules()


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_a_frozen_dataclass_with_every_paragraph(name: str) -> None:
    rule = RULES[name]
    assert is_dataclass(rule)
    assert pickle.loads(pickle.dumps(rule())) == rule()
    assert rule().id == name
    assert rule.severity in Severity
    assert rule.precision in Precision
    sections = rule.sections()
    assert set(HEADINGS) <= set(sections)
    assert all(len(sections[heading]) > 20 for heading in ("", *HEADINGS))
    assert sections[""].splitlines()[0].endswith(".")


@dataclass(frozen=True, kw_only=True)
class Broken(Rule):
    """A rule that a file made for it ends."""

    severity: ClassVar[Severity] = Severity.NOTE
    precision: ClassVar[Precision] = Precision.LOW

    def check(self, file: AuditedFile) -> Iterator[Finding]:
        """See ``Rule.check``."""
        yield self.finding("file", "told before it broke")
        raise KeyError("node")


@dataclass(frozen=True, kw_only=True)
class Told(Rule):
    """A rule that tells three findings."""

    severity: ClassVar[Severity] = Severity.CRITICAL
    precision: ClassVar[Precision] = Precision.LOW

    def check(self, file: AuditedFile) -> Iterator[Finding]:
        """See ``Rule.check``."""
        yield self.finding("a", "mild", Severity.LOW)
        yield self.finding("b", "worst", path=["one", "two"])
        yield self.finding("c", "middling", Severity.HIGH)


def test_a_rule_that_breaks_is_a_failure_and_the_others_still_run() -> None:
    found = audit(AuditedFile.open(bundled("clean.onnx")), {"broken": Broken, "told": Told})
    assert [failure.check for failure in found.failures] == ["broken"]
    assert "KeyError" in found.failures[0].why
    assert "Traceback" in found.failures[0].trace
    assert found.ran == ("told",)


def test_findings_come_worst_first() -> None:
    found = audit(AuditedFile.open(bundled("clean.onnx")), {"told": Told})
    assert [finding.location for finding in found.findings] == ["b", "c", "a"]
    assert found.worst is Severity.CRITICAL
    assert found.findings[0].path == ("one", "two")
