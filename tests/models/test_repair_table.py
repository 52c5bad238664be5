"""The table of repairs: what it runs on, and what a row says."""

import numpy as np
import pytest
from onnxray.converters import Model
from onnxray.models import repairs
from onnxray.models.repairs import Patch, measure, subjects
from onnxray.scanner.findings import Label, Verdict
from onnxray.scanner.repair_bench import Bench
from onnxray.scanner.triggers import Trigger


def test_a_patch_becomes_a_trigger_at_its_place() -> None:
    trigger = Patch(3, 1, 2, ((0.5, 1.0, float("nan")),)).trigger(3, 4, 5)
    assert trigger.target == 3
    assert trigger.mask.sum() == 2
    assert not np.isnan(trigger.pattern).any()
    np.testing.assert_allclose(trigger.pattern[:, 1, 2:4], [[0.5, 1.0]] * 3)


def test_the_bundled_model_is_measured_under_its_true_trigger(monkeypatch: pytest.MonkeyPatch) -> None:
    (subject,) = subjects(None, None)

    def scan(self: Bench, model: Model, seed: int) -> tuple[Verdict, list[Trigger]]:
        return Verdict(Label.BACKDOORED, 1.0, (7,)), [subject.patch.trigger(1, 28, 28)]

    monkeypatch.setattr(Bench, "scan", scan)
    before, after, clp = measure(subject, ["prune-neurons", "clp"])
    assert before.attack is not None
    assert after.attack is not None
    assert before.attack > 0.95
    assert after.attack < 0.1
    assert after.attack == after.reversed_attack
    assert clp.note
    assert all(len(repairs._cells(row)) == len(repairs._HEAD) for row in (before, after, clp))


def test_a_method_that_lacks_a_trigger_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bench, "scan", lambda self, model, seed: (Verdict(Label.CLEAN, 0.0), []))
    (subject,) = subjects(None, None)
    _, row = measure(subject, ["unlearn"])
    assert row.accuracy is None
    assert "needs a trigger" in row.note
