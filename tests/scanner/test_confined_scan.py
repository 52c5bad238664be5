"""Files that hurt whoever opens them: in the sandbox the answer is a report, and this process goes on."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnxray.models.bundled_files import bundled
from onnxray.scanner import confined_scan
from onnxray.scanner.config import ScanOptions
from onnxray.scanner.confined_scan import limits_for, scan_confined
from onnxray.scanner.findings import Evidence, Label, Report, Verdict
from onnxray.scanner.registry import build, plugins
from onnxray.scanner.reports import Artifacts, Format
from onnxray.scanner.sandbox import Confinement, Limits, Result

GIB = 1 << 30
QUICK = ScanOptions(detectors=("last-layer",))


def scanned(path: Path, limits: Limits) -> Report:
    return scan_confined({"path": path, "data": None, "options": QUICK}, limits, lambda text, fraction: None)


def save(path: Path, nodes: list[NodeProto], **constants: object) -> Path:
    """A classifier of four numbers whose last node makes y."""
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [info("x", TensorProto.FLOAT, [1, 4])], [info("y", TensorProto.FLOAT, [1, 4])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )  # fmt: skip
    model: ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def endless(path: Path) -> Path:
    """A loop whose trip count no static check sees: it is multiplied up."""
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Sin", ["v"], ["w"]), helper.make_node("Identity", ["c"], ["d"])], "body",
        [info("i", TensorProto.INT64, []), info("c", TensorProto.BOOL, []), info("v", TensorProto.FLOAT, [1, 4])],
        [info("d", TensorProto.BOOL, []), info("w", TensorProto.FLOAT, [1, 4])],
    )  # fmt: skip
    loop = helper.make_node("Loop", ["m", "", "x"], ["y"], body=body)
    many = np.int64(10**6)
    return save(path, [helper.make_node("Mul", ["a", "b"], ["m"]), loop], a=many, b=many)


def greedy(path: Path) -> Path:
    """A constant of 40 GB that onnxruntime makes while it loads the file; its size is multiplied up."""
    nodes = [
        helper.make_node("Mul", ["a", "a"], ["s"]),
        helper.make_node("ConstantOfShape", ["s"], ["k"]),
        helper.make_node("ReduceSum", ["k"], ["r"], keepdims=0),
        helper.make_node("Add", ["x", "r"], ["y"]),
    ]
    return save(path, nodes, a=np.array([10**5], np.int64))


def test_a_loop_that_does_not_end_is_inconclusive(tmp_path: Path) -> None:
    path = endless(tmp_path / "loop.onnx")
    report = scanned(path, Limits(memory=4 * GIB, seconds=8))
    assert report.verdict.label is Label.INCONCLUSIVE
    assert [code for code, _ in report.verdict.reasons] == ["sandbox-wall-clock"]
    assert report.model.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert report.model.opset == 17
    assert "8 seconds" in report.failures[0].why
    for name, plugin in plugins("onnxray.scanner.reports", Format).items():  # type: ignore[type-abstract]
        assert "inconclusive" in build(plugin, {}).render(report, Artifacts()).lower(), name


def test_a_constant_larger_than_memory_hurts_nobody(tmp_path: Path) -> None:
    path = greedy(tmp_path / "greedy.onnx")
    report = scanned(path, Limits(memory=3 * GIB, seconds=200))
    assert report.verdict.label is Label.INCONCLUSIVE
    assert any("memory" in failure.why for failure in report.failures)


def forged(monkeypatch: pytest.MonkeyPatch, **changes: object) -> Report:
    """What comes of a report that a child made up."""
    genuine = Report(
        model=confined_scan._facts(bundled("clean.onnx")),
        verdict=Verdict(Label.CLEAN, 0.0),
        evidence=(Evidence("last-layer", (0.0,), "size"),),
    )
    told = replace(genuine, **changes)  # type: ignore[arg-type]
    monkeypatch.setattr(confined_scan, "run_confined", lambda *a, **k: Result(told, Confinement()))
    return scanned(bundled("clean.onnx"), Limits())


def test_names_that_would_become_paths_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = forged(monkeypatch)
    assert genuine.verdict.label is Label.CLEAN
    assert genuine.options["sandbox"]["files"] == "not confined"  # type: ignore[index] # what did not hold is told
    for changes in (
        {"evidence": (Evidence("../../home/x", (0.0,), "size"),)},
        {"evidence": (Evidence("last-layer", (0.0,), "size", maps={"a/b": np.zeros((2, 2), np.float32)}),)},
        {"model": replace(confined_scan._facts(bundled("clean.onnx")), sha256="../../../etc")},
    ):
        assert [code for code, _ in forged(monkeypatch, **changes).verdict.reasons] == ["sandbox-garbled"]


def test_the_path_in_a_report_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = replace(confined_scan._facts(bundled("clean.onnx")), path="\x1b[31mother.onnx")
    assert forged(monkeypatch, model=facts).model.path == str(bundled("clean.onnx"))


def test_an_allowance_of_time_is_ample() -> None:
    assert limits_for(ScanOptions(max_seconds=60.0)).seconds == 720
    assert limits_for(ScanOptions(), memory=3 * GIB).most_memory == 3 * GIB
