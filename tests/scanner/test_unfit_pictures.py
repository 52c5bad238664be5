"""Pictures of another model's classes: an error for one model, a report without them for one of many."""

import hashlib
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxray.models.bundled_files import bundled
from onnxray.models.graph_backdoors.corpus import base, corpus
from onnxray.scanner.config import ScanOptions
from onnxray.scanner.contract import decode
from onnxray.scanner.domain_search import DomainOverrides
from onnxray.scanner.errors import ModelError, OptionError, SamplesError, UnfitSamplesError
from onnxray.scanner.findings import Label, Report
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


def linear(path: Path, *axes: int) -> Path:
    """Ten scores from an input (N, *axes) of numbers."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, *axes])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 10])
    weight = numpy_helper.from_array(np.eye(math.prod(axes), 10, dtype=np.float32), "w")
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])]
    graph = helper.make_graph(nodes, "rows", [x], [y], [weight])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def tolerated(path: Path, data: Path | None, training: Path | None = None, **overrides: Any) -> tuple[Report, str]:
    """The report of one of many, which has its audit and acquits nothing, and all that it says was left out."""
    given = DomainOverrides(**overrides)
    brief = replace(BRIEF, detectors=("last-layer",), overrides=given)
    with pytest.raises((SamplesError, OptionError, ModelError)):
        scan(path, data, brief, training_data=training)
    report = scan(path, data, replace(brief, tolerant=True), training_data=training)
    assert report.verdict.label is Label.INCONCLUSIVE
    assert {"audit", "last-layer"} <= set(report.ran)
    told = " / ".join(f"{s.check}: {s.why}" for s in report.skipped if s.check in ("input-domain", "training-data"))
    assert str(path) not in told
    return report, told


@pytest.mark.parametrize("given", [{"input_range": "0,255"}, {"layout": "NHWC"}], ids=["range", "layout"])
@pytest.mark.parametrize("data", [True, False], ids=["pictures", "none"])
def test_a_table_among_models_of_pictures_whose_reading_is_given(
    given: dict[str, Any], data: bool, tmp_path: Path
) -> None:
    _, told = tolerated(linear(tmp_path / "table.onnx", 5), bundled("samples.npz") if data else None, **given)
    assert str(DomainOverrides(**given)) in told
    assert "the model: its input (?, 5) fits no picture" in told


@pytest.mark.parametrize("data", [True, False], ids=["pictures", "none"])
def test_a_model_that_contradicts_what_is_given_of_all(data: bool) -> None:
    pictures = bundled("samples.npz") if data else None
    report, told = tolerated(bundled("clean.onnx"), pictures, layout="NHWC")
    assert "contradicts --layout NHWC" in told
    assert "twin-parity" in report.ran


@pytest.mark.parametrize("data", [True, False], ids=["pictures", "none"])
def test_an_input_of_five_axes(data: bool, others: Path, tmp_path: Path) -> None:
    report, told = tolerated(linear(tmp_path / "film.onnx", 3, 4, 8, 8), others if data else None)
    assert "input" in told
    assert "twin-parity" in {failure.check for failure in report.failures}


def test_a_model_that_runs_on_no_form_of_the_pictures(tmp_path: Path) -> None:
    model = onnx.load(linear(tmp_path / "open.onnx", 1, 5, 5))
    for axis in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        axis.dim_param = "size"
    onnx.save(model, tmp_path / "open.onnx")
    _, told = tolerated(tmp_path / "open.onnx", bundled("samples.npz"))
    assert "it runs on none of the" in told


def test_a_training_set_that_does_not_fit_leaves_the_pictures(others: Path) -> None:
    report, told = tolerated(bundled("clean.onnx"), bundled("samples.npz"), others)
    assert "training-data: it does not fit the model" in told
    assert "label 19 but the model has 10 classes" in told
    assert {"input-domain", "last-layer"} <= set(report.ran)
    assert report.evaluation is not None


def test_a_training_set_is_not_passed_over_where_the_pictures_do_not_fit(others: Path) -> None:
    _, told = tolerated(bundled("clean.onnx"), others, bundled("samples.npz"))
    assert "training-data: its pictures cannot be put to the model" in told


def test_rows_that_are_those_of_another_model(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", x=np.zeros((20, 7), np.float32), y=np.arange(20) % 10)
    _, told = tolerated(linear(tmp_path / "table.onnx", 5), None, tmp_path / "rows.npz")
    assert "training-data: it does not fit the model" in told
    assert "got rows (20, 7)" in told
