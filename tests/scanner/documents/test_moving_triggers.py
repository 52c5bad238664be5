"""A trigger that moves every class to one of its own is told as that, and not as one of its first class."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from onnxray.scanner.answers import Answer
from onnxray.scanner.documents.csv import Csv
from onnxray.scanner.documents.cyclonedx import Cyclonedx
from onnxray.scanner.documents.junit import Junit
from onnxray.scanner.documents.sarif import Sarif
from onnxray.scanner.findings import Rate, Report

MAPPING = (1, 2, 3, 4, 5, 6, 7, 8, 9, 0)


@pytest.fixture
def moved(backdoored: Report) -> Report:
    """One of the triggers to class 7, and two of one that moves every class: one of them works less often."""
    one, *_ = backdoored.evidence[0].triggers
    moves = [replace(one, target=1, seed=seed, mapping=MAPPING) for seed in (0, 1)]
    assert backdoored.evaluation
    judged = ((one, Rate(88, 91)), (moves[0], Rate(99, 100)), (moves[1], Rate(95, 100)))
    evidence = (replace(backdoored.evidence[0], triggers=(one, *moves)),)
    return replace(backdoored, evidence=evidence, evaluation=replace(backdoored.evaluation, attack_success=judged))


@pytest.fixture
def told(moved: Report, answer: Callable[..., Answer]) -> Answer:
    return answer(moved)


def test_the_report_keeps_the_mapping_and_counts_no_class_for_it(told: Answer) -> None:
    assert told.report
    found = told.report.evaluation
    assert found
    assert found.attack_success_rate == {7: pytest.approx(88 / 91)}
    assert [a.mapping for a in found.attacks] == [None, list(MAPPING), list(MAPPING)]
    assert found.moving
    assert found.moving.rate == 0.95


def test_every_document_says_that_it_moves_every_class(told: Answer) -> None:
    row = "".join(Csv().render(iter([told])))
    assert f"7: {88 / 91:.4f} | every class: 0.9500" in row
    assert "attack success, every class moved: 0.9500" in "".join(Junit().render(iter([told])))
    bill: Any = json.loads("".join(Cyclonedx().render(iter([told]))))
    metrics = bill["components"][0]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    by_slice = {m["slice"].split(",")[0]: m for m in metrics if m["type"] == "attack success rate"}
    assert set(by_slice) == {"recovered trigger of class 7", "recovered trigger that moves every class"}
    assert by_slice["recovered trigger that moves every class"]["confidenceInterval"]["lowerBound"] < "0.95"
    (result,) = json.loads("".join(Sarif().render(iter([told]))))["runs"][0]["results"]
    assert result["properties"]["evaluation"]["attacks"][1]["mapping"] == list(MAPPING)
