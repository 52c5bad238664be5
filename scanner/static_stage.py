"""What the audit of the file and the proof of its gates add to a scan: findings, proofs, and their weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from traceback import format_exc
from typing import TYPE_CHECKING

from ..converters.messages import one_line
from .audit import SEVERITIES, audit
from .audited_file import AuditedFile
from .findings import Finding, Label, Severity, Verdict

if TYPE_CHECKING:
    from ..converters import Model
    from .config import ScanOptions
    from .ledger import Ledger
    from .samples import Samples
    from .witness import Proof

__all__ = ["audit_model", "prove_gates", "with_findings"]

PROVABLE = ("value-gate", "soft-gate", "late-side-network")
SERIOUS = SEVERITIES.index(Severity.HIGH)
SCORES = {Label.SUSPICIOUS: 0.6, Label.BACKDOORED: 1.0}


def audit_model(model: Model, ledger: Ledger) -> tuple[Finding, ...]:
    """Every finding of the static rules about the file behind a model; rules that break are told in the ledger."""
    with ledger.stage("audit"):
        found = audit(AuditedFile.of(model))
    for failure in found.failures:
        ledger.failed(f"rule {failure.check}", failure.why, failure.trace)
    if not found.failures:
        ledger.check("audit")
    return found.findings


def prove_gates(
    model: Model, samples: Samples, findings: Sequence[Finding], options: ScanOptions, ledger: Ledger
) -> tuple[Proof, ...]:
    """Put the gates that the audit found to the proof; nothing is run where it found none."""
    if not any(finding.rule in PROVABLE for finding in findings):
        return ()
    from .witness.prove import prove

    deadline = float("inf") if options.max_seconds is None else ledger.started + options.max_seconds
    try:
        with ledger.stage("prove"):
            proofs = tuple(prove(model, samples, options.seed, deadline))
    except Exception as error:  # noqa: BLE001 - the finding stands without its proof
        ledger.failed("witness", f"{type(error).__name__}: {one_line(error, 300)}", format_exc())
        return ()
    if proofs:
        ledger.check("witness")
    return proofs


def with_findings(verdict: Verdict, findings: Sequence[Finding], proofs: Sequence[Proof]) -> Verdict:
    """The verdict with what the file itself gave away: a witness convicts, a serious finding forbids an acquittal."""
    proven = [proof for proof in proofs if proof.convicts]
    serious = [finding for finding in findings if SEVERITIES.index(finding.severity) >= SERIOUS]
    if proven:
        reasons = [("witness", f"{proof.rule} at {proof.location}: {proof.words}.") for proof in proven]
        targets = (*verdict.targets, *(p.witness.class_after for p in proven if p.witness))
        kept = verdict.reasons if verdict.label in (Label.BACKDOORED, Label.SUSPICIOUS) else ()
        named = tuple(dict.fromkeys(targets))
        found = Verdict(Label.BACKDOORED, SCORES[Label.BACKDOORED], named, (*reasons, *kept), verdict.suspects)
        return found.settled()
    if not serious:
        return verdict
    rules = ", ".join(dict.fromkeys(finding.rule for finding in serious))
    reasons = [("static-finding", f"The file itself gives away what may be a backdoor: {rules} (see the findings).")]
    reasons += [("no-witness", f"{proof.rule} at {proof.location}: {proof.words}.") for proof in proofs]
    if verdict.label in (Label.BACKDOORED, Label.SUSPICIOUS):
        return replace(verdict, reasons=(*verdict.reasons, *reasons))
    score = max(verdict.score, SCORES[Label.SUSPICIOUS])
    kept = verdict.reasons if verdict.label is Label.INCONCLUSIVE else ()
    return Verdict(Label.SUSPICIOUS, score, verdict.targets, (*reasons, *kept))
