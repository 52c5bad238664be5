"""The signature of the last layer: one row that is larger than all others."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxray.scanner.detectors import Budget
from onnxray.scanner.detectors.last_layer import LastLayer
from onnxray.scanner.findings import Evidence, Label, Skipped
from onnxray.scanner.verdict import decide


def measure(rows: np.ndarray, classes: int | None = None) -> Evidence:
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, rows.shape[1]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, len(rows)])],
        [numpy_helper.from_array(np.ascontiguousarray(rows.T, np.float32), "w")],
    )
    facts = SimpleNamespace(output=SimpleNamespace(name="y"))
    model: Any = SimpleNamespace(graph=onnx.helper.make_model(graph), facts=facts, classes=classes or len(rows))
    (evidence,) = LastLayer().run(model, None, Budget())
    return evidence


def rows(pushed: float, classes: int = 10) -> np.ndarray:
    found = np.random.default_rng(0).standard_normal((classes, 64))
    found[classes // 2] += pushed
    return found


def test_a_row_that_is_pushed_up_is_flagged_raises_the_score_and_never_convicts() -> None:
    evidence = measure(rows(2.0))
    assert evidence.flagged == (5,)
    assert evidence.score > 0.5
    missing = [Skipped("neural-cleanse", "needs pictures")]
    verdict, usual = (decide([e], None, missing, []) for e in (evidence, measure(rows(0.0))))
    assert verdict.label in (Label.SUSPICIOUS, Label.INCONCLUSIVE)  # as the calibration weighs it
    assert usual.label is Label.INCONCLUSIVE
    assert verdict.score > usual.score + 0.1


@pytest.mark.parametrize("pushed", [0.0, -2.0])
def test_a_row_that_is_not_is_not(pushed: float) -> None:
    assert not measure(rows(pushed)).flagged


def test_a_vector_that_is_added_to_every_row_changes_nothing() -> None:
    plain, moved = measure(rows(2.0)), measure(rows(2.0) + np.linspace(-3, 9, 64))
    assert plain.details["anomaly_index"] == pytest.approx(moved.details["anomaly_index"], abs=1e-2)


@pytest.mark.parametrize("classes", [2, 3])
def test_few_classes_are_never_flagged(classes: int) -> None:
    assert not measure(rows(5.0, classes)).flagged


def test_without_such_a_layer_nothing_is_said() -> None:
    evidence = measure(rows(2.0), classes=7)  # the layer has ten rows
    assert (evidence.flagged, evidence.p_value, evidence.score) == ((), None, 0.0)
    assert evidence.details["layer_found"] is False
    assert "no last layer" in str(evidence.details["not_checked"])
    assert measure(rows(2.0)).details["not_checked"] == ""
    assert np.isnan(evidence.classes).all()
