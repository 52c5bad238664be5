"""Pictures of another model's classes: an error for one model, a report without them for one of many."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxray.models.bundled_files import bundled
from onnxray.models.graph_backdoors.corpus import base, corpus
from onnxray.scanner.config import ScanOptions
from onnxray.scanner.contract import decode
from onnxray.scanner.errors import SamplesError, UnfitSamplesError
from onnxray.scanner.findings import Label
from onnxray.scanner.jobs import Job
from onnxray.scanner.pipeline import scan
from onnxray.scanner.work import do

BRIEF = ScanOptions(detectors=("last-layer", "neural-cleanse"))
TOLERANT = ScanOptions(detectors=BRIEF.detectors, tolerant=True)


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """Pictures of twenty classes; the bundled model has ten."""
    path = tmp_path / "others.npz"
    np.savez(path, x=np.zeros((20, 28, 28), np.uint8), y=np.arange(20))
    return path


def test_one_model_with_the_pictures_of_another_is_an_error(others: Path) -> None:
    with pytest.raises(UnfitSamplesError, match=r"others\.npz: label 19 but .*clean\.onnx has 10 classes"):
        scan(bundled("clean.onnx"), others, BRIEF)


def test_where_that_is_tolerated_the_audit_is_kept_and_nothing_is_acquitted(others: Path) -> None:
    report = scan(bundled("clean.onnx"), others, TOLERANT)
    assert report.verdict.label is Label.INCONCLUSIVE
    assert {"audit", "twin-parity", "last-layer"} <= set(report.ran)
    assert "neural-cleanse" in {skip.check for skip in report.skipped}
    (why,) = (skip.why for skip in report.skipped if skip.check == "input-domain")
    assert "do not fit" in why
    assert "label 19 but the model has 10 classes" in why
    assert ("check-skipped", f"input-domain: {why}") in report.verdict.reasons


def test_what_the_file_itself_gives_away_still_counts(others: Path, tmp_path: Path) -> None:
    case = next(case for case in corpus() if case.name == "ramp")
    onnx.save(case.make(base()), path := tmp_path / "ramp.onnx")
    report = scan(path, others, TOLERANT)
    assert report.findings
    assert report.verdict.label in (Label.SUSPICIOUS, Label.BACKDOORED)


def test_pictures_that_cannot_be_read_are_an_error_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "broken.npz").write_bytes(b"no archive")
    with pytest.raises(SamplesError, match=r"not an \.npz"):
        scan(bundled("clean.onnx"), tmp_path / "broken.npz", TOLERANT)


def test_a_model_of_many_keeps_its_report(others: Path) -> None:
    path = bundled("clean.onnx")
    job = Job(
        key="k" * 64, name="zoo/m.onnx", path=path, sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        size_bytes=path.stat().st_size, data=others, options=BRIEF, sandbox=False,
    )  # fmt: skip
    outcome = do(job)
    assert outcome.error == ""
    report = decode(outcome.report)
    assert report.verdict.label == "inconclusive"
    assert [check.status for check in report.coverage if check.check == "audit"] == ["ran"]
    assert str(path) not in outcome.report
