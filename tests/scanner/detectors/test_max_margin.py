"""The largest margin on linear classifiers with and without a shortcut, and on files that are scanned without data."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxray.scanner.config import ScanOptions
from onnxray.scanner.detectors import Budget
from onnxray.scanner.detectors.max_margin import MaxMargin
from onnxray.scanner.domain import InputDomain
from onnxray.scanner.domain_search import DomainOverrides
from onnxray.scanner.findings import Evidence, Label, Report
from onnxray.scanner.pipeline import scan
from onnxray.scanner.reports import Artifacts
from onnxray.scanner.reports.json import Json
from onnxray.scanner.reports.text import Text
from onnxray.scanner.samples import Samples

SIZE, CLASSES, TARGET = 8, 12, 7


def weights(shortcut: float, classes: int = CLASSES) -> np.ndarray:
    """(K, H*W): each class answers to a faint pattern of its own; two pixels also decide for the target."""
    found = np.random.default_rng(0).standard_normal((classes, SIZE * SIZE)).astype(np.float32)
    found[:, -2:] = 0.0
    found[min(TARGET, classes - 1), -2:] = shortcut
    return found


def measure(network: Any, classes: int = CLASSES, budget: Budget | None = None, **options: Any) -> Evidence:
    domain = InputDomain("[0, 1]", "NCHW", 1, SIZE, SIZE)
    samples = Samples(np.empty((0, 1, SIZE, SIZE), np.float32), np.empty(0, np.int64), domain)
    model: Any = SimpleNamespace(torch=network, classes=classes)
    (evidence,) = MaxMargin(**options).run(model, samples, budget or Budget())
    return evidence


def linear(shortcut: float, classes: int = CLASSES) -> Any:
    w = torch.from_numpy(weights(shortcut, classes))
    return lambda x: x.flatten(1) @ w.T


def test_a_class_that_can_be_put_far_ahead_is_flagged() -> None:
    evidence = measure(linear(60.0))
    assert evidence.flagged == (TARGET,)
    assert evidence.large
    assert evidence.p_value is not None
    assert evidence.p_value < 0.01
    assert evidence.score > 0.5
    assert evidence.details["effect"] > 1.5  # type: ignore[operator]
    assert evidence.details["gamma_p"] < 0.01  # type: ignore[operator]


def test_without_the_shortcut_no_class_is_flagged() -> None:
    evidence = measure(linear(0.0))
    assert not evidence.flagged
    assert evidence.p_value is not None
    assert evidence.p_value > 0.05


def test_standing_out_by_little_is_not_enough() -> None:
    def even(x: torch.Tensor) -> torch.Tensor:  # every class has a margin of about 10, the target of 12
        own = 10 + 0.01 * torch.arange(CLASSES) + 2.0 * (torch.arange(CLASSES) == TARGET)
        return x.flatten(1)[:, :CLASSES] * own

    assert not measure(even).flagged
    assert measure(even, effect=1.0).flagged == (TARGET,)


@pytest.mark.parametrize("classes", [2, 3])
def test_very_few_classes_are_never_flagged(classes: int) -> None:
    evidence = measure(linear(60.0, classes), classes)
    assert not evidence.flagged
    assert evidence.score < 0.5
    assert len(evidence.classes) == classes


def test_a_network_without_a_gradient_flags_nothing() -> None:
    evidence = measure(lambda x: x.flatten(1)[:, :CLASSES] * 0 + 1.0 * (0 * x.sum()))
    assert (evidence.flagged, evidence.score, evidence.p_value) == ((), 0.0, None)
    assert evidence.details["gamma_p"] is None


def test_logits_that_saturate_are_not_told_apart() -> None:
    evidence = measure(lambda x: 50 * torch.tanh(linear(60.0)(x)))
    assert not evidence.flagged
    assert evidence.p_value is None or evidence.p_value > 0.01


def test_of_many_classes_a_few_are_climbed_beside_controls() -> None:
    evidence = measure(linear(60.0, 150), 150)
    assert evidence.flagged == (TARGET,)
    assert len(evidence.controls) == 20
    assert 20 <= np.isfinite(evidence.classes).sum() <= 28
    assert not measure(linear(0.0, 150), 150).flagged


def test_no_time_is_told() -> None:
    evidence = measure(linear(60.0), budget=Budget(deadline=0.0))
    assert evidence.details["complete"] is False
    assert (evidence.flagged, evidence.p_value) == ((), None)


def saved(
    path: Path, shortcut: float, dtype: int = TensorProto.FLOAT, shape: tuple[int, ...] = (1, SIZE, SIZE)
) -> Path:
    """The linear classifier as a file; integer inputs are bytes."""
    whole = dtype != TensorProto.FLOAT
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["f"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w"], ["y"], transB=1),
    ]
    w = weights(shortcut) / (255 if whole else 1)
    graph = helper.make_graph(
        nodes, "linear", [helper.make_tensor_value_info("x", dtype, ["N", *shape])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", CLASSES])], [numpy_helper.from_array(w, "w")],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def of(report: Report) -> Evidence:
    return next(e for e in report.evidence if e.detector == "max-margin")


def codes(report: Report) -> set[str]:
    return {code for code, _ in report.verdict.reasons}


@pytest.mark.parametrize("shape", [(1, SIZE, SIZE), (SIZE * SIZE,), (4, 4, 4)])
def test_a_scan_without_data_is_suspicious_at_most(tmp_path: Path, shape: tuple[int, ...]) -> None:
    report = scan(saved(tmp_path / "model.onnx", 60.0, shape=shape), None)
    assert (report.verdict.label, report.verdict.targets) == (Label.SUSPICIOUS, (TARGET,))
    assert {"calibrated-score", "not-judged", "check-skipped"} <= codes(report)
    assert set(report.ran) >= {"twin-parity", "max-margin"}
    assert {"input-domain", "neural-cleanse", "neuron-inspect"} <= {skip.check for skip in report.skipped}
    assert (report.evaluation, report.domain) == (None, None)


@pytest.mark.parametrize("dtype", [TensorProto.FLOAT, TensorProto.UINT8])
def test_a_scan_without_data_never_acquits(tmp_path: Path, dtype: int) -> None:
    report = scan(saved(tmp_path / "model.onnx", 0.0, dtype), None)
    assert report.verdict.label is Label.INCONCLUSIVE
    assert {"check-skipped", "nothing-judged"} <= codes(report)
    jsonschema = pytest.importorskip("jsonschema")
    import json

    import onnxray.scanner.reports as reports

    schema = json.loads((Path(reports.__file__).parent / "report.schema.json").read_text())
    jsonschema.validate(json.loads(Json().render(report, Artifacts())), schema)
    assert "INCONCLUSIVE" in Text().render(report, Artifacts())
    assert "--data" in Text().render(report, Artifacts())


def test_whole_bytes_are_climbed_in_their_own_range(tmp_path: Path) -> None:
    bytes_, floats = (
        scan(saved(tmp_path / f"{dtype}.onnx", 60.0, dtype), None) for dtype in (TensorProto.UINT8, TensorProto.FLOAT)
    )
    assert bytes_.verdict.targets == (TARGET,)
    np.testing.assert_allclose(of(bytes_).classes, of(floats).classes, rtol=0.02)
    assert of(bytes_).details["domain"] == "[0, 255]"


def test_the_range_may_be_given_without_data(tmp_path: Path) -> None:
    options = ScanOptions(overrides=DomainOverrides(input_range="0,2"))
    twice = scan(saved(tmp_path / "model.onnx", 60.0), None, options)
    once = scan(tmp_path / "model.onnx", None)
    np.testing.assert_allclose(of(twice).classes, 2 * np.array(of(once).classes), rtol=0.02)
    assert any("given" in skip.why for skip in twice.skipped)
