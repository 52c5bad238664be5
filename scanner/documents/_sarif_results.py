"""What was found in one model as the results of a SARIF run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import msgspec

from ..answers import Answer, Suppression
from ..contract import Contract, Finding
from ..findings import Label
from ..reports._words import meaning
from ..suppressions import accepted
from ._reasons import NOT_SCANNED, SEVERITY
from ._sarif_rules import Rules
from ._sarif_text import LEVELS, message
from ._text import visible

__all__ = ["results_of"]

STEPS = 1000  # places of a path; more than GitHub shows, less than it refuses
KINDS = {Label.BACKDOORED: "fail", Label.SUSPICIOUS: "fail", Label.INCONCLUSIVE: "open", Label.CLEAN: "pass"}
Object = dict[str, Any]


def results_of(answer: Answer, place: Object, rules: Rules) -> Iterator[Object]:
    """A result for each finding, and one for the verdict or for there being none.

    Args:
        place: the model's ``artifactLocation``.
    """
    seen: Counter[str] = Counter()
    if answer.report is None:
        yield _unscanned(answer, place, rules)
        return
    for finding in answer.report.findings:
        result = _of_finding(answer, answer.report, finding, place, rules)
        key = f"{result['ruleId']}\n{finding.location}"
        seen[key] += 1
        yield result | _fingerprints(answer, finding.rule, f"{finding.location}\n{seen[key]}")
    yield _of_verdict(answer, answer.report, place, rules)


def _of_finding(answer: Answer, report: Contract, finding: Finding, place: Object, rules: Rules) -> Object:
    name, index = rules.of_finding(finding.rule, finding.severity)
    proofs = [msgspec.to_builtins(p) for p in report.proofs if (p.rule, p.location) == (finding.rule, finding.location)]
    result: Object = {
        "ruleId": name,
        "ruleIndex": index,
        "kind": "fail",
        "level": LEVELS[finding.severity],
        "message": message(f"{answer.name}, {finding.location}: {finding.message}"),
        "locations": [_location(place, finding.location)],
        "suppressions": _suppressions(answer.suppressed.get(finding.rule)),
        "properties": {**_model(answer), "severity": str(finding.severity), **({"proofs": proofs} if proofs else {})},
    }
    if finding.path:
        steps = [{"location": _location(place, node) | {"message": message(node)}} for node in finding.path[:STEPS]]
        result["codeFlows"] = [{"threadFlows": [{"locations": steps}]}]
    return result


def _of_verdict(answer: Answer, report: Contract, place: Object, rules: Rules) -> Object:
    verdict = report.verdict
    code = verdict.reasons[0] if verdict.reasons else str(verdict.label)
    name, index = rules.of_verdict(code, verdict.label)
    kind = KINDS[verdict.label]
    # What accepts the whole verdict is told in place of what accepts one of its reasons.
    held = answer.suppressed.get(code, next(iter(answer.suppressed.values()), None)) if accepted(answer) else None
    return {
        "ruleId": name,
        "ruleIndex": index,
        "kind": kind,
        "level": LEVELS[SEVERITY[verdict.label]] if kind == "fail" else "none",
        "message": message(" ".join([f"{answer.name}: {meaning(report)}", *verdict.explanations])),
        "rank": round(100 * verdict.score, 2),
        "locations": [_location(place)],
        "suppressions": _suppressions(held),
        "properties": {**_model(answer), **_measured(report)},
        **_fingerprints(answer, code, "verdict"),
    }


def _unscanned(answer: Answer, place: Object, rules: Rules) -> Object:
    name, index = rules.of_verdict(NOT_SCANNED, Label.INCONCLUSIVE)
    why = answer.why or "it waits for its scan"
    return {
        "ruleId": name,
        "ruleIndex": index,
        "kind": "open",
        "level": "none",
        "message": message(f"{answer.name}: there is no verdict ({answer.label}): {why}"),
        "locations": [_location(place)],
        "suppressions": _suppressions(answer.suppressed.get(answer.code)),
        "properties": {**_model(answer), "state": str(answer.state), "code": answer.code},
        **_fingerprints(answer, NOT_SCANNED, "verdict"),
    }


def _location(place: Object, inside: str = "file") -> Object:
    """A place in a file without lines: none is invented."""
    found: Object = {"physicalLocation": {"artifactLocation": place}}
    if inside != "file":
        found["logicalLocations"] = [{"fullyQualifiedName": visible(inside), "kind": "object"}]
    return found


def _fingerprints(answer: Answer, rule: str, where: str) -> Object:
    """Two names of the same digest of rule, bytes and place: our own, and the one that GitHub reads.

    A model that could not be read has its name for its bytes.
    """
    identity = "\n".join([rule, answer.sha256 or answer.name, where])
    digest = sha256(identity.encode("utf-8", "backslashreplace")).hexdigest()
    return {"partialFingerprints": {"onnxray/v1": digest, "primaryLocationLineHash": digest}}


def _suppressions(held: Suppression | None) -> list[Object]:
    if held is None:
        return []
    until = {"expires": held.expires.isoformat()} if held.expires else {}
    why = {"justification": visible(held.reason), "properties": {"model": held.model, "code": held.code, **until}}
    return [{"kind": "external", "status": "accepted", **why}]


def _model(answer: Answer) -> Object:
    names = {"names": list(answer.names)} if len(answer.names) > 1 else {}
    return {"sha256": answer.sha256, **names, **({"group": answer.group} if answer.group else {})}


def _measured(report: Contract) -> Object:
    verdict, names = report.verdict, report.model.class_names
    evaluation: Mapping[str, Any] = msgspec.to_builtins(report.evaluation, str_keys=True) if report.evaluation else {}
    return {
        "label": str(verdict.label),
        "score": verdict.score,
        "targets": [{"class": c, "name": names[c] if c < len(names) else ""} for c in verdict.targets],
        "reasons": [
            {"code": code, "explanation": sentence}
            for code, sentence in zip(verdict.reasons, verdict.explanations, strict=False)
        ],
        "evaluation": evaluation or None,
        "evidence": [
            {
                "detector": e.detector,
                "score": e.score,
                "pValue": e.p_value,
                "flagged": e.flagged,
                "artifacts": e.artifacts,
            }
            for e in report.evidence
        ],
        "limits": report.limits,
    }
