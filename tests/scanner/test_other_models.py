"""Models that are not the plain picture classifier with one output: what can be scanned is, the rest is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxray.models.bundled_files import bundled
from onnxray.scanner.config import ScanOptions
from onnxray.scanner.errors import ModelError, NotAClassifier, SamplesError
from onnxray.scanner.pipeline import scan

QUICK = ScanOptions(samples=60, settings={"neural-cleanse": {"steps": 5}})


@pytest.fixture
def two_outputs(tmp_path: Path) -> Path:
    """The bundled clean model with its scores negated as a second output, which is right of nothing."""
    model = onnx.load(bundled("clean.onnx"))
    scores = model.graph.output[0]
    model.graph.node.append(helper.make_node("Neg", [scores.name], ["other"]))
    other = model.graph.output.add()
    other.CopyFrom(scores)
    other.name = "other"
    onnx.save(model, tmp_path / "two.onnx")
    return tmp_path / "two.onnx"


def linear(path: Path, inputs: int) -> Path:
    """A model of rows."""
    weight = numpy_helper.from_array(np.ones((inputs, 10), np.float32), "w")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, inputs])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 10])
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "rows", [x], [y], [weight])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_the_output_with_the_scores_can_be_named(two_outputs: Path) -> None:
    name = onnx.load(two_outputs).graph.output[0].name
    report = scan(two_outputs, bundled("samples.npz"), replace(QUICK, scores=name))
    assert report.model.output.name == name
    assert report.evaluation is not None
    assert report.evaluation.clean_accuracy.value > 0.7
    assert report.options["scores"] == name
    other = scan(two_outputs, bundled("samples.npz"), replace(QUICK, scores="other"))
    assert other.domain is not None
    assert not other.domain.beats_chance


def test_an_output_that_is_not_named_or_does_not_exist_lists_those_that_do(two_outputs: Path) -> None:
    name = onnx.load(two_outputs).graph.output[0].name
    with pytest.raises(NotAClassifier, match=rf"{name}, other\).*--scores NAME"):
        scan(two_outputs, bundled("samples.npz"), QUICK)
    with pytest.raises(NotAClassifier, match=f"no output 'logit5'; its outputs are {name}, other"):
        scan(two_outputs, bundled("samples.npz"), replace(QUICK, scores="logit5"))


def test_an_operator_that_onnxruntime_does_not_know_is_told_with_what_to_do(tmp_path: Path) -> None:
    model = onnx.load(bundled("clean.onnx"))
    model.graph.node[-1].input[0], name = "secret", model.graph.node[-1].input[0]
    model.graph.node.insert(len(model.graph.node) - 1, helper.make_node("Secret", [name], ["secret"], domain="mine"))
    model.opset_import.append(helper.make_opsetid("mine", 1))
    onnx.save(model, tmp_path / "custom.onnx")
    with pytest.raises(ModelError, match=r"custom\.onnx: onnxruntime, .* ONNX's own .*Secret of the domain mine"):
        scan(tmp_path / "custom.onnx", bundled("samples.npz"), QUICK)


def test_a_model_of_rows_is_told_from_one_of_pictures(tmp_path: Path) -> None:
    with pytest.raises(SamplesError, match=r"rows\.onnx: its input .*\(\?, 30\).* tables, text"):
        scan(linear(tmp_path / "rows.onnx", 30), bundled("samples.npz"), QUICK)


def test_rows_as_data_are_told_from_pictures(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", x=np.zeros((20, 30), np.float32), y=np.arange(20) % 2)
    with pytest.raises(SamplesError, match=r"rows\.npz: x: .*\(20, 30\); rows of a table"):
        scan(linear(tmp_path / "rows.onnx", 30), tmp_path / "rows.npz", QUICK)
