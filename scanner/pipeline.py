"""READ THIS FIRST. One scan: open -> audit -> input domain -> prove gates -> twin -> detect -> judge -> decide."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .config import DEFAULTS, ScanOptions
from .detection import detect, plan, resolve_device, verify_twin
from .evaluate import evaluate
from .findings import Report
from .gathering import gather_with_training
from .ledger import Ledger
from .opening import open_running
from .scoring import chosen
from .static_stage import audit_model, prove_gates, with_findings
from .verdict import decide
from .versions import versions

__all__ = ["scan"]


def scan(
    path: Path,
    data: Path | None,
    options: ScanOptions = DEFAULTS,
    progress: Callable[[str, float], None] = lambda text, fraction: None,
    training_data: Path | None = None,
) -> Report:
    """Scan one model with clean labelled pictures; without them only what needs none is checked, and none acquitted.

    Args:
        path: the ``.onnx`` file; never modified.
        data: clean pictures, in any form that ``images.load_images`` reads; None for none.
        options: everything else that changes the report.
        progress: called with what is being done and the fraction done in [0, 1].
        training_data: the model's training set, if it is under suspicion: pictures as for ``data``, or rows of numbers.

    Raises:
        OnnxrayError: the model, the data or an option is wrong; the message says which and what to do.
    """
    ledger = Ledger(progress)
    detectors, calibration = plan(options), chosen(options.calibration)
    with ledger.stage("open"):
        model = open_running(path, options.scores)
        device = resolve_device(options.device)
    findings = audit_model(model, ledger)
    with ledger.stage("samples"):
        choice, samples, training = gather_with_training(model, data, training_data, options, ledger)
        optimise, verify = samples.halves(options.seed)
    proofs = prove_gates(model, optimise, findings, options, ledger)
    with ledger.stage("twin"):
        parity = verify_twin(model, samples, device, ledger)
    with ledger.stage("detect"):
        trusted = optimise if choice is None or choice.beats_chance else None
        evidence = detect(detectors, model, trusted, parity, device, options, ledger, training, samples)
    triggers = [t for e in evidence for t in e.every_trigger]
    with ledger.stage("judge"):
        evaluation = evaluate(model, verify, triggers) if len(verify) else None
    verdict = decide(evidence, evaluation, ledger.skipped, ledger.failures, calibration=calibration)
    return Report(
        model=model.facts,
        verdict=with_findings(verdict, findings, proofs),
        evidence=tuple(evidence),
        findings=findings,
        proofs=proofs,
        ran=tuple(ledger.ran),
        skipped=tuple(ledger.skipped),
        failures=tuple(ledger.failures),
        evaluation=evaluation,
        domain=choice,
        parity=parity,
        class_names=samples.class_names,
        examples=verify.outside({t.target for t in triggers}).draw(8, options.seed).images,
        options=options.told({name: d for name, d in detectors.items() if ledger.tells(name)}, device),
        versions=versions(),
        timings=ledger.seconds,
    )
