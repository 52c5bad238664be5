"""A trigger that moves every class to one of its own is told as that, and not as one of its first class."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnxray.scanner.answers import Answer
from onnxray.scanner.documents.csv import Csv
from onnxray.scanner.documents.cyclonedx import Cyclonedx
from onnxray.scanner.documents.html import Html
from onnxray.scanner.documents.junit import Junit
from onnxray.scanner.documents.sarif import Sarif
from onnxray.scanner.errors import OptionError
from onnxray.scanner.findings import Rate, Report
from onnxray.scanner.reports import write_artifacts
from onnxray.scanner.reports.text import Text
from onnxray.scanner.trigger_files import load_triggers

MAPPING = (1, 2, 3, 4, 5, 6, 7, 8, 9, 0)


@pytest.fixture
def moved(backdoored: Report) -> Report:
    """One of the triggers to class 7, and two of one that moves every class: one of them works less often."""
    one, *_ = backdoored.evidence[0].triggers
    moves = [replace(one, target=1, seed=seed, mapping=MAPPING) for seed in (0, 1)]
    assert backdoored.evaluation
    judged = ((one, Rate(88, 91)), (moves[0], Rate(99, 100)), (moves[1], Rate(95, 100)))
    evidence = (replace(backdoored.evidence[0], triggers=(one, *moves)),)
    verdict = replace(backdoored.verdict, targets=tuple(range(10)))
    return replace(
        backdoored, verdict=verdict, evidence=evidence, evaluation=replace(backdoored.evaluation, attack_success=judged)
    )


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


def test_its_picture_and_arrays_are_its_own_beside_those_of_a_class(moved: Report, tmp_path: Path) -> None:
    artifacts = write_artifacts(moved, tmp_path)
    assert {"trigger-class7", "trigger-every-class"} <= set(artifacts.files["neural-cleanse"])
    assert "trigger-class1" not in artifacts.files["neural-cleanse"]
    of_class, mover = load_triggers(tmp_path)
    assert (of_class.target, of_class.mapping) == (7, None)
    assert mover.mapping == MAPPING
    shown = " ".join(str(Text().render(moved, artifacts)).split())
    assert "Recovered trigger that moves every class" in shown
    assert "Recovered trigger of class 7" in shown
    assert "Recovered trigger of class 1 " not in shown
    assert "the strongest of 2 found that move every class" in shown
    assert str(tmp_path / "trigger-every-class.png") in shown.replace(" ", "") or "trigger-every-class.png" in shown


def test_the_page_says_what_its_pictures_show(told: Answer) -> None:
    page = "".join(Html().render(iter([told])))
    assert "The recovered trigger that moves every class to another, over grey." in page
    assert "The recovered trigger of class 7 (Sneaker), over grey." in page or "trigger of class 7" in page
    assert "The recovered trigger of class 1" not in page


@pytest.mark.parametrize("mapping", [[1], [-1, 0], [[0, 1]], [0.5, 1.0]])
def test_a_mapping_that_is_none_is_refused(mapping: Any, tmp_path: Path) -> None:
    path = tmp_path / "arrays.npz"
    np.savez(path, mask=np.zeros((4, 4)), pattern=np.zeros((1, 4, 4)), mapping=np.array(mapping))
    with pytest.raises(OptionError, match="one class for each class"):
        load_triggers(path)
