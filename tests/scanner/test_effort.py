"""What one pass costs, and what methods leave out of large networks with many classes."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from onnxray.scanner import effort
from onnxray.scanner.detectors import Budget
from onnxray.scanner.detectors.free_eagle import FreeEagle
from onnxray.scanner.detectors.max_margin import Effort, MaxMargin
from onnxray.scanner.domain import InputDomain
from onnxray.scanner.embeddings import Split
from onnxray.scanner.findings import Evidence
from onnxray.scanner.samples import Samples

SIZE = 6
PASS = 2 * SIZE * SIZE  # operations for each class


def network(classes: int) -> Any:
    weights = torch.randn(SIZE * SIZE, classes, generator=torch.Generator().manual_seed(0))
    return lambda x: x.flatten(1) @ weights


def margins(classes: int, **options: Any) -> Evidence:
    domain = InputDomain("[0, 1]", "NCHW", 1, SIZE, SIZE)
    samples = Samples(np.empty((0, 1, SIZE, SIZE), np.float32), np.empty(0, np.int64), domain)
    model: Any = SimpleNamespace(torch=network(classes), classes=classes)
    (evidence,) = MaxMargin(**options).run(model, samples, Budget())
    return evidence


def cut(classes: int, depth: float) -> Split:
    one = torch.ones(1, 1)
    return Split("t", depth, network(classes), (SIZE * SIZE,), one, 0 * one, one)


def test_operations_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effort, "WORK", 1e6)
    one, like = (network(60), (1, SIZE, SIZE)), torch.zeros(1)
    assert effort.affordable([one], like) == 1e6 / (60 * PASS)
    assert effort.affordable([one, one], like) == 1e6 / (2 * 60 * PASS)
    assert effort.affordable([(lambda x: x.flatten(1), (1, SIZE, SIZE))], like) == float("inf")


@pytest.mark.parametrize(
    ("classes", "passes", "expected"),
    [
        (50, 1, Effort(50, 8, 60)),  # few: nothing is left out
        (60, 1e9, Effort(60, 8, 60)),
        (60, 60 * 3 * 60, Effort(60, 3, 60)),
        (60, 60 * 30, Effort(60, 1, 30)),
        (60, 1, Effort(60, 1, 20)),
        (200, 1e9, Effort(200, 8, 60)),
        (200, 2 * 28 * 2 * 60, Effort(200, 2, 60)),
        (200, 2 * 1000, Effort(100, 1, 35)),
        (200, 1, Effort(64, 1, 20)),
    ],
)
def test_of_many_classes_as_much_is_done_as_the_network_s_size_allows(
    monkeypatch: pytest.MonkeyPatch, classes: int, passes: float, expected: Effort
) -> None:
    monkeypatch.setattr(effort, "WORK", float(passes * classes * PASS))
    domain: Any = InputDomain("[0, 1]", "NCHW", 1, SIZE, SIZE)
    model: Any = SimpleNamespace(torch=network(classes), classes=classes)
    assert MaxMargin()._effort(model, domain, Budget()) == expected


def test_less_effort_still_compares_classes_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effort, "WORK", 1.0)
    evidence = margins(200)
    assert evidence.details["effort"] == {"looked": 64, "starts": 1, "steps": 20}
    assert evidence.details["complete"] is True
    assert len(evidence.controls) == 20
    assert 20 <= np.isfinite(evidence.classes).sum() <= 28
    few = margins(50, steps=5)
    monkeypatch.undo()
    np.testing.assert_array_equal(few.classes, margins(50, steps=5).classes)


@pytest.mark.parametrize(
    ("classes", "passes", "cuts", "rows"),
    [(50, 1, 2, 50), (200, 2 * 60 * 20, 2, 20), (200, 60 * 15, 1, 15), (200, 1, 1, 10)],
)
def test_of_many_classes_the_deeper_cut_and_fewer_rows_are_left(
    monkeypatch: pytest.MonkeyPatch, classes: int, passes: int, cuts: int, rows: int
) -> None:
    monkeypatch.setattr(effort, "WORK", float(passes * classes * PASS))
    both = (cut(classes, 0.25), cut(classes, 0.5))
    assert FreeEagle()._affordable(classes, both) == (both[-cuts:], rows)
    assert FreeEagle()._affordable(classes, ()) == ((), classes if classes == 50 else 20)
