"""From the scanner's report to the JSON contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

import numpy as np

from .. import contract as out
from ..accusations import convicting_size
from ..domain import DomainChoice, InputDomain
from ..findings import Evaluation, Evidence, Finding, Report
from ..poisoned import PoisonedSamples
from ..version import __version__
from ..witness import Proof
from . import Artifacts
from ._triggers import lowest_success
from ._witness import gate_name

__all__ = ["contract_of", "finding_of"]


def contract_of(report: Report, artifacts: Artifacts) -> out.Contract:
    """The report in the shape of ``onnxray/report/1``."""
    return out.Contract(
        schema="onnxray/report/1",
        tool=out.Tool(name="onnxray", version=__version__),
        model=_model(report),
        verdict=_verdict(report),
        evidence=[_evidence(e, artifacts.files.get(e.detector, {})) for e in report.evidence],
        findings=[finding_of(f) for f in report.findings],
        proofs=[_proof(p, artifacts.files.get(gate_name(i), {})) for i, p in enumerate(report.proofs)],
        coverage=_coverage(report),
        evaluation=_evaluation(report, report.evaluation) if report.evaluation else None,
        timings=dict(report.timings),
        parity=_parity(report),
        options=_plain_values(report.options),
        versions=dict(report.versions),
        limits=out.LIMITS,
    )


def _model(report: Report) -> out.Model:
    facts = report.model
    return out.Model(
        path=_text(facts.path),
        sha256=facts.sha256,
        bytes=facts.size_bytes,
        producer=_text(facts.producer),
        opset=facts.opset,
        classes=facts.classes,
        input=_input(report),
        class_names=[_text(name) for name in report.class_names],
        converted=_text(facts.converted),
    )


def _input(report: Report) -> out.Input:
    spec, choice = report.model.input, report.domain
    return out.Input(
        name=_text(spec.name),
        shape=list(spec.shape),
        layout=choice.domain.layout if choice else None,
        range=_range(choice.domain) if choice else None,
        dtype=spec.dtype,
        preprocessing=_preprocessing(choice) if choice else None,
    )


def _range(domain: InputDomain) -> tuple[float, float]:
    """What black and white become, over all channels."""
    mean, std = np.asarray(domain.mean), np.asarray(domain.std)
    ends = np.concatenate([(0 - mean) / std, (domain.scale - mean) / std])  # the scale may be negative
    return float(ends.min()), float(ends.max())


def _preprocessing(choice: DomainChoice) -> out.Preprocessing:
    domain = choice.domain
    return out.Preprocessing(
        name=_text(domain.name),
        scale=domain.scale,
        mean=list(domain.mean),
        std=list(domain.std),
        bgr=domain.bgr,
        how=_text(choice.how),
        accuracy=choice.accuracy.value,
        chance=choice.chance,
        beats_chance=choice.beats_chance,
        margin=choice.margin,
        tried=[out.TriedConvention(_text(name), accuracy) for name, accuracy in choice.tried],
    )


def _verdict(report: Report) -> out.Verdict:
    verdict = report.verdict
    return out.Verdict(
        label=verdict.label,
        score=verdict.score,
        targets=list(verdict.targets),
        reasons=[code for code, _ in verdict.reasons],
        explanations=[_text(sentence) for _, sentence in verdict.reasons],
    )


def _evidence(evidence: Evidence, files: Mapping[str, str]) -> out.Evidence:
    return out.Evidence(
        detector=evidence.detector,
        score=evidence.score,
        p_value=evidence.p_value,
        classes=_numbers(evidence.classes),
        statistic=evidence.statistic,
        controls=list(evidence.controls),
        flagged=list(evidence.flagged),
        seconds=evidence.seconds,
        artifacts=dict(files),
        details=_plain_values({**evidence.details, **_reading(evidence)}),
        poisoned=[_poisoned(p) for p in evidence.poisoned],
    )


def _reading(evidence: Evidence) -> dict[str, object]:
    """What a reader needs to draw the statistic: what is usual and from where a class convicts."""
    if evidence.whole:
        return {"whole": True}
    sizes = convicting_size(evidence)
    return {} if sizes is None else {"median_size": sizes[0], "convicting_size": sizes[1]}


def finding_of(finding: Finding) -> out.Finding:
    """A static finding in the shape of the contract."""
    return out.Finding(
        rule=_text(finding.rule),
        severity=finding.severity,
        location=_text(finding.location),
        message=_text(finding.message),
        path=[_text(node) for node in finding.path],
    )


def _poisoned(p: PoisonedSamples) -> out.PoisonedSamples:
    return out.PoisonedSamples(
        target=p.target,
        source=p.source,
        samples=len(p),
        labelled=p.labelled,
        ratio=_number(p.reclassified.ratio),
        relative_size=p.share,
        silhouette=p.silhouette,
        followed=p.followed.value,
        transplant=p.transplant.value if p.transplant.trials else None,
        tokens=[_text(token) for token in p.tokens],
    )


def _proof(proof: Proof, files: Mapping[str, str]) -> out.Proof:
    w = proof.witness
    names = ("class_before", "class_after", "class_held", "pixels", "turned", "tried")
    return out.Proof(
        rule=proof.rule,
        location=_text(proof.location),
        silent=proof.silent,
        natural=proof.natural,
        random=proof.random,
        unchanged=proof.unchanged,
        witness=None if w is None else out.Witness(**{name: getattr(w, name) for name in names}),
        why=_text(proof.why),
        artifacts=dict(files),
    )


def _coverage(report: Report) -> list[out.Check]:
    return [
        *(out.Check(check, "ran", "") for check in report.ran),
        *(out.Check(skip.check, "skipped", _text(skip.why), skip.due) for skip in report.skipped),
        *(out.Check(failure.check, "failed", _text(failure.why)) for failure in report.failures),
    ]


def _evaluation(report: Report, evaluation: Evaluation) -> out.Evaluation:
    return out.Evaluation(
        clean_accuracy=evaluation.clean_accuracy.value,
        attack_success_rate={target: rate.value for target, rate in lowest_success(report).items()},
        samples=evaluation.samples,
        provider=evaluation.provider,
        attacks=[
            out.Attack(
                trigger.target,
                trigger.seed,
                rate.hits,
                rate.trials,
                trigger.fraction,
                None if trigger.mapping is None else list(trigger.mapping),
            )
            for trigger, rate in evaluation.attack_success
        ],
    )


def _parity(report: Report) -> out.Parity | None:
    if report.parity is None:
        return None
    parity = report.parity
    return out.Parity(
        max_difference=_number(parity.max_difference),
        relative=_number(parity.relative),
        agreement=parity.agreement,
        inputs=parity.inputs,
        tolerance=parity.tolerance,
        moved=_number(parity.moved),
        surrogates=[_text(name) for name in parity.surrogates],
    )


def _number(value: float) -> float | None:
    return float(value) if isfinite(value) else None


def _numbers(values: Iterable[float]) -> list[float | None]:
    return [_number(value) for value in values]


def _text(text: str) -> str:
    """The text with lone surrogates (bytes of a file name that are not UTF-8) spelled out: JSON cannot hold them."""
    return text.encode("utf-8", "backslashreplace").decode()


def _plain_values(values: Mapping[str, object]) -> dict[str, Any]:
    return {_text(str(key)): _plain_value(value) for key, value in values.items()}


def _plain_value(value: object) -> object:
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return _text(value)
        case np.ndarray() | np.generic():
            return _plain_value(value.tolist())
        case Mapping():
            return _plain_values(value)
        case list() | tuple():
            return [_plain_value(item) for item in value]
        case _:
            return _text(str(value))
