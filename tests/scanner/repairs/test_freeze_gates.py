"""Proven gates are held silent: nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxray.converters import open_model
from onnxray.models.bundled_files import bundled
from onnxray.models.graph_backdoors import TARGET, stamp
from onnxray.models.graph_backdoors.corpus import base, corpus, pictures
from onnxray.scanner.audit import audit
from onnxray.scanner.audited_file import AuditedFile
from onnxray.scanner.domain import InputDomain
from onnxray.scanner.errors import RepairError
from onnxray.scanner.repairs import Budget
from onnxray.scanner.repairs.freeze_gates import FreezeGates
from onnxray.scanner.samples import Samples

CASES = {case.name: case for case in corpus()}
SAMPLES = Samples(pictures()[:60], np.zeros(60, np.int64), InputDomain("[0, 1]", "NCHW", 1, 28, 28))


@pytest.mark.parametrize("name", ["where", "loop", "function-in-branch", "steep-sigmoid"])
def test_a_proven_gate_is_closed_and_every_answer_stays(name: str, tmp_path: Path) -> None:
    onnx.save(CASES[name].make(base()), path := tmp_path / "model.onnx")
    model = open_model(path, threads=1)
    repaired = FreezeGates().run(model, SAMPLES, [], Budget())
    assert repaired.proto is not None
    onnx.save(repaired.proto, out := tmp_path / "repaired.onnx")
    after = open_model(out, threads=1)
    np.testing.assert_array_equal(after.run(pictures()), model.run(pictures()))
    assert (model.predict(stamp(pictures())) == TARGET).all()
    assert (after.predict(stamp(pictures())) == TARGET).mean() < 0.2
    rules = {finding.rule for finding in audit(AuditedFile.open(out)).findings}
    assert not rules & {"value-gate", "soft-gate", "late-side-network"}


def test_without_a_gate_there_is_nothing_to_do() -> None:
    model = open_model(bundled("clean.onnx"), threads=1)
    assert not FreezeGates().applies(model, [])
    with pytest.raises(RepairError, match="no gate of the graph is proven"):
        FreezeGates().run(model, SAMPLES, [], Budget())
