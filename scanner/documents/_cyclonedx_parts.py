"""One model as a component of a CycloneDX document, with its model card."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..answers import Answer
from ..contract import Attack, Contract, Input
from ..findings import Rate
from ..suppressions import accepted
from ._text import visible

__all__ = ["component_of", "property_of"]

Object = dict[str, Any]
LONGEST = 4000
_SHA256 = re.compile(r"[0-9a-f]{64}")
_HUB = re.compile(r"hf://([A-Za-z0-9_.-]+)/([A-Za-z0-9_.-]+)@([0-9A-Za-z_.-]+)/")


def component_of(answer: Answer, ref: str) -> Object:
    """The component; without a report it has no model card, and its properties say why.

    Args:
        ref: its ``bom-ref``.
    """
    found: Object = {"type": "machine-learning-model", "bom-ref": ref, "name": visible(answer.name)}
    if answer.group:
        found["group"] = visible(answer.group)
    if "revision" in answer.origin:
        found["version"] = visible(answer.origin["revision"])
    if _SHA256.fullmatch(answer.sha256):
        found["hashes"] = [{"alg": "SHA-256", "content": answer.sha256}]
    if hub := _HUB.match(answer.name):
        found["purl"] = f"pkg:huggingface/{hub[1]}/{hub[2]}@{hub[3]}"
    if answer.report is not None:
        found["modelCard"] = _card(answer.report)
    return found | {"properties": list(_properties(answer))}


def property_of(name: str, value: object) -> Object:
    """A property in this tool's name space."""
    return {"name": f"onnxray:{name}", "value": visible(str(value), LONGEST)}


def _card(report: Contract) -> Object:
    parameters = {
        "task": "classification",
        "inputs": [{"format": _input(report.model.input)}],
        "outputs": [{"format": f"scores of {report.model.classes} classes"}],
    }
    metrics = {"quantitativeAnalysis": {"performanceMetrics": list(_metrics(report))}} if report.evaluation else {}
    unchecked = [
        visible(f"Not checked ({check.outcome}): {check.check}: {check.why}", LONGEST)
        for check in report.coverage if check.status != "ran"
    ]  # fmt: skip
    return {
        "modelParameters": parameters,
        **metrics,
        "considerations": {"technicalLimitations": [report.limits, *unchecked]},
    }


def _input(found: Input) -> str:
    shape = " x ".join("?" if size is None else str(size) for size in found.shape)
    ends = f", values from {found.range[0]:g} to {found.range[1]:g}" if found.range else ""
    kind = f"image {found.layout}" if found.layout else "tensor"
    return visible(f"{kind}, {found.dtype}, {shape}{ends}")


def _metrics(report: Contract) -> Iterator[Object]:
    evaluation = report.evaluation
    if evaluation is None:
        return
    judge = visible(f"{evaluation.samples} held-out samples in onnxruntime ({evaluation.provider})")
    right = Rate(round(evaluation.clean_accuracy * evaluation.samples), evaluation.samples)
    yield _metric("clean accuracy", evaluation.clean_accuracy, judge, right)
    for target, rate in sorted(evaluation.attack_success_rate.items()):
        to_it = (a for a in evaluation.attacks if a.target == target and a.mapping is None)
        counted = _counted(min(to_it, key=lambda a: a.rate, default=None))
        yield _metric("attack success rate", rate, f"recovered trigger of class {target}, {judge}", counted)
    if moving := evaluation.moving:
        what = f"recovered trigger that moves every class, {judge}"
        yield _metric("attack success rate", moving.rate, what, _counted(moving))


def _counted(attack: Attack | None) -> Rate | None:
    return Rate(attack.hits, attack.trials) if attack else None


def _metric(kind: str, value: float, measured: str, rate: Rate | None) -> Object:
    """A metric with the 95 % Wilson interval of the counts behind it, where these are known."""
    found: Object = {"type": kind, "value": f"{value:.4f}", "slice": measured}
    if rate is not None and rate.trials:
        found["confidenceInterval"] = {"lowerBound": f"{rate.lower:.4f}", "upperBound": f"{rate.upper:.4f}"}
    return found


def _properties(answer: Answer) -> Iterator[Object]:
    yield property_of("verdict", answer.label)
    if answer.sha256:
        yield property_of("bytes", answer.size_bytes)
    yield from (property_of("name", name) for name in answer.names)
    yield from (property_of(f"origin:{key}", value) for key, value in sorted(answer.origin.items()))
    if answer.ended:
        yield property_of("ended", answer.ended)
    if answer.report is None:
        yield property_of("code", answer.code or answer.state)
        yield property_of("why", answer.why or "it waits for its scan")
        return
    yield property_of("accepted", "yes" if accepted(answer) else "no")
    yield from _found(answer.report)


def _found(report: Contract) -> Iterator[Object]:
    verdict = report.verdict
    yield property_of("score", f"{verdict.score:.4f}")
    yield from (property_of("target", target) for target in verdict.targets)
    for code, sentence in zip(verdict.reasons, verdict.explanations, strict=False):
        yield property_of("reason", f"{code}: {sentence}")
    for e in report.evidence:
        chance = "" if e.p_value is None else f", p = {e.p_value:.4g}"
        yield property_of("evidence", f"{e.detector}: score {e.score:.4f}{chance}, flagged {e.flagged}")
    for f in report.findings:
        yield property_of("finding", f"{f.rule} ({f.severity}) at {f.location}: {f.message}")
    for proof in report.proofs:
        fired = "a witness makes it fire" if proof.witness else f"no witness: {proof.why}"
        yield property_of("proof", f"{proof.rule} at {proof.location}: {fired}")
    yield property_of("producer", report.model.producer)
    yield property_of("opset", report.model.opset)
    yield property_of("scanner-version", report.tool.version)
