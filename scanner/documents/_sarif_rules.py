"""The rules of a SARIF run: every static rule, and every reason code of a verdict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..audit import all_rules
from ..findings import Label, Severity
from ..rule_docs import markdown, text
from ..rules import Precision
from ._reasons import ADVICE, REASONS, SEVERITY, Meaning, meaning_of
from ._sarif_text import LEVELS

__all__ = ["Rules"]

SCORES = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "3.0",
    Severity.NOTE: "1.0",
}
"""``security-severity``: readers make critical of 9 and more, high of 7, medium of 4 and low of the rest."""

LONGEST = 1024  # characters of a description that GitHub takes


class Rules:
    """The descriptors, and where each stands.

    A finding or verdict milder than what its rule or reason usually says has a descriptor of its own, such as
    ``value-gate/note``: readers show the severity of the descriptor, not that of the result.
    """

    def __init__(self) -> None:
        self.descriptors: list[dict[str, Any]] = []
        self._places: dict[str, int] = {}
        for rule in sorted(all_rules()):
            self.of_finding(rule, all_rules()[rule].severity)
        for code in sorted(REASONS):
            self.of_verdict(code, REASONS[code].label)

    def of_finding(self, rule: str, severity: Severity) -> tuple[str, int]:
        """Id and place of the descriptor of a static rule's findings of that severity."""
        known = all_rules().get(rule)
        own = severity if known is None else known.severity
        name = rule if severity == own else f"{rule}/{severity}"
        return self._placed(name, lambda: _of_rule(name, rule, severity))

    def of_verdict(self, code: str, label: Label) -> tuple[str, int]:
        """Id and place of the descriptor of verdicts with that label whose first reason is that code."""
        meaning = meaning_of(code)
        name = code if label == meaning.label else f"{code}/{label}"
        return self._placed(name, lambda: _of_reason(name, meaning, SEVERITY[label]))

    def place(self, rule: str) -> int | None:
        """Where a static rule's own descriptor stands; None for what is no rule."""
        return self._places[rule] if rule in all_rules() else None

    def _placed(self, name: str, made: Callable[[], dict[str, Any]]) -> tuple[str, int]:
        if name not in self._places:
            self._places[name] = len(self.descriptors)
            self.descriptors.append(made())
        return name, self._places[name]


def _of_rule(name: str, rule: str, severity: Severity) -> dict[str, Any]:
    known = all_rules().get(rule)
    if known is None:
        says = "A rule of the audit that this version of onnxray does not have."
        return _descriptor(name, says, says, (says, says), severity, Precision.LOW, "static")
    words = " ".join(known.sections()[""].split())
    first = " ".join(known.sections()[""].split("\n\n")[0].split())
    return _descriptor(name, first, words, (text(rule, known), markdown(known)), severity, known.precision, "static")


def _of_reason(name: str, meaning: Meaning, severity: Severity) -> dict[str, Any]:
    told = f"{meaning.says}\n\n{ADVICE[severity]}"
    return _descriptor(
        name, meaning.says, meaning.says, (told.replace("`", ""), told), severity, meaning.precision, "behavioural"
    )


def _descriptor(
    name: str, short: str, full: str, told: tuple[str, str], severity: Severity, precision: Precision, kind: str
) -> dict[str, Any]:
    return {
        "id": name,
        "name": "".join(part.capitalize() for part in name.replace("/", "-").split("-")),
        "shortDescription": {"text": short[:LONGEST]},
        "fullDescription": {"text": full[:LONGEST]},
        "help": {"text": told[0], "markdown": told[1]},
        "defaultConfiguration": {"level": LEVELS[severity]},
        "properties": {
            "tags": ["security", "backdoor", "onnx", kind],
            "precision": str(precision),
            "security-severity": SCORES[severity],
        },
    }
