"""The gate rules on every case of the corpus of graph backdoors and on models that strangers published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnxray.converters.errors import ModelError
from onnxray.converters.survey import survey
from onnxray.models.graph_backdoors import Case
from onnxray.models.graph_backdoors.corpus import base, corpus
from onnxray.scanner.audit import SEVERITIES, Audit, audit
from onnxray.scanner.audited_file import AuditedFile
from onnxray.scanner.dataflow import Flow
from onnxray.scanner.findings import Severity

SUSPECTS = Path(__file__).parents[4] / "shared" / "suspects"
GATES = {"value-gate", "soft-gate", "late-side-network", "batch-mixing"}


def audited(model: ModelProto) -> Audit:
    content = model.SerializeToString()
    path = Path("model.onnx")
    return audit(AuditedFile(path, content, model, "0" * 64, survey(path, content)))


@pytest.mark.parametrize("case", [c for c in corpus() if c.backdoored], ids=lambda case: case.name)
def test_every_backdoor_is_a_serious_finding_with_its_path(case: Case) -> None:
    found = audited(case.make(base()))
    assert not found.failures
    serious = [f for f in found.findings if f.rule in GATES and f.severity is Severity.HIGH]
    assert serious
    assert all(len(f.path) > 1 for f in serious)


@pytest.mark.parametrize("case", [c for c in corpus() if not c.backdoored], ids=lambda case: case.name)
def test_no_harmless_twin_is_more_than_a_note(case: Case) -> None:
    found = audited(case.make(base()))
    assert not found.failures
    assert found.worst in (None, Severity.NOTE), found.findings


def test_the_path_goes_from_the_picture_over_the_comparison_to_the_scores() -> None:
    (case,) = (c for c in corpus() if c.name == "where")
    finding = next(f for f in audited(case.make(base())).findings if f.rule == "value-gate")
    operators = [label.strip("/").partition("_")[0] for label in finding.path]
    assert operators[0] == "Slice"
    assert operators.index("Less") < operators.index("Where")
    assert "Where" in finding.location


def test_a_gate_within_a_function_is_told_with_the_function() -> None:
    (case,) = (c for c in corpus() if c.name == "attribute-default")
    finding = next(f for f in audited(case.make(base())).findings if f.rule == "value-gate")
    assert any("Head" in label and ">" in label for label in finding.path)


@pytest.mark.parametrize("folder", ["catalog"])
def test_models_that_strangers_published_have_no_finding_above_a_note(folder: str) -> None:
    if not (SUSPECTS / folder).is_dir():
        pytest.skip("the suspects are not beside this repository")
    for path in sorted((SUSPECTS / folder).glob("*.onnx")):
        found = audit(AuditedFile.open(path))
        assert not found.failures, path.name
        above = [f for f in found.findings if SEVERITIES.index(f.severity) > SEVERITIES.index(Severity.NOTE)]
        assert not above, path.name


def test_the_side_branch_that_a_student_team_built_by_hand_is_found() -> None:
    path = SUSPECTS / "labelled" / "csaw2019_G_bd.onnx"
    if not path.is_file():
        pytest.skip("the suspects are not beside this repository")
    (finding,) = audit(AuditedFile.open(path)).findings
    assert (finding.rule, finding.severity) == ("late-side-network", Severity.HIGH)
    assert "merge" in finding.location


def test_functions_that_call_each_other_without_end_are_refused() -> None:
    opset, call = helper.make_opsetid("", 17), helper.make_node("B", ["x"], ["y"], domain="d")
    one = helper.make_function("d", "A", ["x"], ["y"], [call], [opset, helper.make_opsetid("d", 1)])
    call = helper.make_node("A", ["x"], ["y"], domain="d")
    two = helper.make_function("d", "B", ["x"], ["y"], [call], [opset, helper.make_opsetid("d", 1)])
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    out = helper.make_tensor_value_info("z", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("A", ["x"], ["z"], domain="d")], "g", [value], [out])
    model = helper.make_model(graph, functions=[one, two], opset_imports=[opset, helper.make_opsetid("d", 1)])
    with pytest.raises(ModelError, match="more than 64 deep"):
        Flow(model)


def test_a_mask_over_the_words_of_a_sentence_is_no_gate() -> None:
    """The mean over the words that are no padding, as sentence classifiers take it."""
    n = helper.make_node
    constants = [
        numpy_helper.from_array(np.zeros((9, 4), "float32"), "table"),
        numpy_helper.from_array(np.ones((4, 4), "float32"), "w1"),
        numpy_helper.from_array(np.ones((4, 3), "float32"), "w2"),
        numpy_helper.from_array(np.array(0), "pad"),
        numpy_helper.from_array(np.array([2]), "two"),
        numpy_helper.from_array(np.array([1]), "one"),
    ]
    nodes = [
        n("Gather", ["table", "ids"], ["x"]), n("MatMul", ["x", "w1"], ["h"]),
        n("Equal", ["ids", "pad"], ["padded"]), n("Not", ["padded"], ["there"]),
        n("Cast", ["there"], ["mask"], to=TensorProto.FLOAT), n("Unsqueeze", ["mask", "two"], ["wide"]),
        n("Mul", ["h", "wide"], ["kept"]), n("ReduceSum", ["kept", "one"], ["total"], keepdims=0),
        n("ReduceSum", ["mask", "one"], ["count"], keepdims=1), n("Div", ["total", "count"], ["mean"]),
        n("MatMul", ["mean", "w2"], ["scores"]),
    ]  # fmt: skip
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", 6])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 3])
    graph = helper.make_graph(nodes, "g", [ids], [scores], constants)
    assert audited(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])).worst in (None, Severity.NOTE)
