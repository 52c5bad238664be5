"""The JSON report follows the house contract, for any report."""

from __future__ import annotations

import json
from dataclasses import replace
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from onnxray.scanner import contract
from onnxray.scanner.findings import Evaluation, Evidence, Finding, Label, Rate, Report, Severity, Skipped, Verdict
from onnxray.scanner.reports import Artifacts
from onnxray.scanner.reports.json import Json

SCHEMA = json.loads(contract.SCHEMA_FILE.read_text())
VALIDATOR = Draft202012Validator(SCHEMA)

CONTRACT_KEYS = ["schema", "tool", "model", "verdict", "evidence", "findings", "coverage", "evaluation", "timings"]

share = st.floats(0, 1)
# Whatever a file or a file system can put into a string, lone surrogates and escape sequences included.
text = st.text(max_size=12) | st.sampled_from(["\udcff.onnx", "\x1b[31m", "\x9b2J", "\u202egnp.exe", "[red]"])
evidences = st.builds(
    Evidence,
    detector=st.sampled_from(["neural-cleanse", "neuron-inspect"]),
    classes=st.lists(st.floats(), max_size=5).map(tuple),
    statistic=st.just("share"),
    flagged=st.lists(st.integers(0, 4), max_size=3).map(tuple),
    score=share,
    p_value=st.none() | share,
    seconds=st.floats(0, 1e6),
    details=st.dictionaries(text, st.floats() | text | st.integers(-9, 9) | st.none(), max_size=3),
)


def rendered(report: Report) -> Any:
    return json.loads(Json().render(report, Artifacts()))


def test_committed_schema_is_current(tmp_path: Path) -> None:
    contract.write_schema(tmp_path / "schema.json")
    assert (tmp_path / "schema.json").read_bytes() == contract.SCHEMA_FILE.read_bytes()


def test_schema_is_a_schema_and_rejects_a_wrong_report(backdoored: Report) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    wrong = rendered(backdoored)
    wrong["verdict"]["label"] = "perhaps"
    assert not VALIDATOR.is_valid(wrong)
    wrong = rendered(backdoored)
    del wrong["coverage"]
    assert not VALIDATOR.is_valid(wrong)


@pytest.mark.parametrize("name", ["backdoored", "clean", "inconclusive"])
def test_reports_follow_the_contract(name: str, request: pytest.FixtureRequest) -> None:
    found = rendered(request.getfixturevalue(name))
    VALIDATOR.validate(found)
    assert list(found)[: len(CONTRACT_KEYS)] == CONTRACT_KEYS
    assert found["verdict"]["label"] == name
    assert "prove" in found["limits"]


@given(evidence=st.lists(evidences, max_size=2), label=st.sampled_from(Label), score=share, words=text, path=text)
def test_any_report_follows_the_contract(
    clean: Report, evidence: list[Evidence], label: Label, score: float, words: str, path: str
) -> None:
    report = replace(
        clean,
        model=replace(clean.model, path=path, producer=words),
        verdict=Verdict(label, score, (3,), (("code", words),)),
        evidence=tuple(evidence),
        findings=(Finding("rule", Severity.HIGH, words, words),),
        skipped=(Skipped("check", words),),
        class_names=(words,),
    )
    written = Json().render(report, Artifacts())
    VALIDATOR.validate(json.loads(written))
    assert all(c == "\n" or c.isprintable() or not c.isascii() for c in written)
    assert not set(written) & set("\x7f\x9b\u202e")


def test_facts_arrive_unchanged(backdoored: Report) -> None:
    found = rendered(backdoored)
    assert found["model"]["input"] == {
        "name": "image",
        "shape": [None, 1, 28, 28],
        "layout": "NCHW",
        "range": [0.0, 1.0],
        "dtype": "float32",
        "preprocessing": found["model"]["input"]["preprocessing"],
    }
    assert found["model"]["input"]["preprocessing"]["margin"] == pytest.approx(0.88 - 0.715)
    assert found["verdict"]["targets"] == [7]
    assert found["verdict"]["reasons"] == ["verified-trigger", "small-trigger"]
    assert len(found["verdict"]["explanations"]) == 2
    assert found["coverage"][0] == {"check": "input-domain", "status": "ran", "why": "", "due": True}
    sizes = {"median_size": 0.0625, "convicting_size": 0.015625}  # of the eight others, and a quarter of it
    assert found["evidence"][0]["details"] == {"cut": 3.5, "index": [1.0, None], **sizes}
    assert found["options"]["overrides"] == {"layout": None, "mean": [0.5]}


def test_a_check_that_was_not_due_says_so_and_one_of_an_older_report_was(clean: Report) -> None:
    skips = (Skipped("max-margin", "no gradients"), Skipped("free-eagle", "no inner tensor", due=False))
    found = rendered(replace(clean, skipped=skips))
    VALIDATOR.validate(found)
    assert {c["check"]: c["due"] for c in found["coverage"] if c["status"] == "skipped"} == {
        "max-margin": True, "free-eagle": False,
    }  # fmt: skip
    for check in found["coverage"]:
        del check["due"]
    VALIDATOR.validate(found)
    older = contract.decode(json.dumps(found))
    assert {check.outcome for check in older.coverage} == {"ran", "skipped"}


def test_range_covers_all_channels_and_inversion(backdoored: Report) -> None:
    assert backdoored.domain
    domain = replace(backdoored.domain.domain, scale=-1.0, mean=(-1.0,), std=(0.5, 0.25, 0.5))
    report = replace(backdoored, domain=replace(backdoored.domain, domain=domain))
    assert rendered(report)["model"]["input"]["range"] == [0.0, 4.0]


def test_a_class_with_several_triggers_reports_the_lowest_success(backdoored: Report) -> None:
    rates = rendered(backdoored)["evaluation"]["attack_success_rate"]
    assert rates == {"6": pytest.approx(37 / 90), "7": pytest.approx(88 / 91)}


def test_a_trigger_tried_on_nothing_has_no_rate(backdoored: Report) -> None:
    trigger = backdoored.evidence[0].triggers[0]
    report = replace(backdoored, evaluation=Evaluation(Rate(1, 2), ((trigger, Rate(0, 0)),), 2, "cpu"))
    found = rendered(report)["evaluation"]
    assert found["attack_success_rate"] == {}
    assert found["attacks"][0]["trials"] == 0


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_numbers_that_json_has_not_become_null(backdoored: Report, value: float) -> None:
    evidence = replace(backdoored.evidence[0], classes=(value, 0.5))
    assert rendered(replace(backdoored, evidence=(evidence,)))["evidence"][0]["classes"] == [None, 0.5]


def test_the_same_report_gives_the_same_text(backdoored: Report) -> None:
    assert Json().render(backdoored, Artifacts()) == Json().render(backdoored, Artifacts())


def test_one_line_for_streams(backdoored: Report) -> None:
    assert "\n" not in Json(indent=-1).render(backdoored, Artifacts())
