"""What findings and witnesses do to the verdict of a scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxray.models.bundled_files import bundled
from onnxray.models.graph_backdoors import TARGET
from onnxray.models.graph_backdoors.corpus import base, corpus
from onnxray.scanner.config import ScanOptions
from onnxray.scanner.findings import Finding, Label, Severity, Verdict
from onnxray.scanner.pipeline import scan
from onnxray.scanner.reports import write_artifacts
from onnxray.scanner.static_stage import with_findings
from onnxray.scanner.witness import Proof, Witness

PICTURE = np.zeros((1, 2, 2), np.float32)
WITNESS = Witness(PICTURE, PICTURE, PICTURE, class_before=1, class_after=3, class_held=1, pixels=2)


def verdict(label: Label) -> Verdict:
    return Verdict(label, 0.1, (), (("before", "As it was."),))


def finding(severity: Severity) -> Finding:
    return Finding("value-gate", severity, "node", "words")


@pytest.mark.parametrize("severity", [Severity.NOTE, Severity.LOW, Severity.MEDIUM])
def test_a_mild_finding_leaves_the_verdict(severity: Severity) -> None:
    assert with_findings(verdict(Label.CLEAN), [finding(severity)], []) == verdict(Label.CLEAN)


@pytest.mark.parametrize("severity", [Severity.HIGH, Severity.CRITICAL])
@pytest.mark.parametrize("label", [Label.CLEAN, Label.INCONCLUSIVE, Label.SUSPICIOUS])
def test_a_serious_finding_is_at_least_suspicious(label: Label, severity: Severity) -> None:
    told = with_findings(verdict(label), [finding(severity)], [])
    assert told.label is Label.SUSPICIOUS
    assert "static-finding" in dict(told.reasons)
    assert ("before" in dict(told.reasons)) == (label is not Label.CLEAN)


def test_a_serious_finding_takes_nothing_from_a_conviction() -> None:
    told = with_findings(verdict(Label.BACKDOORED), [finding(Severity.HIGH)], [])
    assert told.label is Label.BACKDOORED
    assert dict(told.reasons)["before"] == "As it was."


def test_a_witness_convicts_and_names_the_class() -> None:
    proof = Proof("value-gate", "node", silent=True, natural=5, random=5, unchanged=True, witness=WITNESS)
    told = with_findings(verdict(Label.CLEAN), [finding(Severity.HIGH)], [proof])
    assert (told.label, told.targets) == (Label.BACKDOORED, (3,))
    assert "its class 1 into 3" in dict(told.reasons)["witness"]


def test_a_suspect_that_a_witness_names_is_a_target_and_no_suspect_any_more() -> None:
    proof = Proof("value-gate", "node", silent=True, natural=5, random=5, unchanged=True, witness=WITNESS)
    before = Verdict(Label.BACKDOORED, 0.9, (0,), (Verdict.suspecting(3),), (3,))
    told = with_findings(before, [finding(Severity.HIGH)], [proof])
    assert (told.targets, told.suspects) == ((0, 3), ())
    assert "further-suspect" not in dict(told.reasons)


def test_a_gate_that_is_not_silent_convicts_nobody() -> None:
    proof = Proof("value-gate", "node", silent=False, witness=WITNESS)
    assert with_findings(verdict(Label.CLEAN), [finding(Severity.HIGH)], [proof]).label is Label.SUSPICIOUS


def test_a_scan_convicts_a_graph_backdoor_and_keeps_the_witness(tmp_path: Path) -> None:
    case = next(case for case in corpus() if case.name == "ramp")
    onnx.save(case.make(base()), path := tmp_path / "ramp.onnx")
    report = scan(path, bundled("samples.npz"), ScanOptions(samples=60, detectors=("last-layer",)))
    assert (report.verdict.label, report.verdict.targets) == (Label.BACKDOORED, (TARGET,))
    assert {"audit", "witness"} <= set(report.ran)
    artifacts = write_artifacts(report, tmp_path / "report")
    files = artifacts.files["gate0"]
    assert {Path(file).suffix for file in files.values()} == {".png", ".npy"}
    kept = np.load(tmp_path / "report" / files["witness-input"])
    assert report.proofs[0].witness is not None
    np.testing.assert_array_equal(kept[0], report.proofs[0].witness.input)


def test_a_scan_of_a_clean_model_has_no_finding_and_proves_nothing() -> None:
    report = scan(bundled("clean.onnx"), None, ScanOptions(detectors=("last-layer",)))
    assert report.findings == ()
    assert report.proofs == ()
    assert "audit" in report.ran
