"""A line for each model: reports that can be read back, and reasons where there is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from onnxray.scanner import contract
from onnxray.scanner.answers import Answer, State
from onnxray.scanner.documents.jsonl import Jsonl
from onnxray.scanner.findings import Report

VALIDATOR = Draft202012Validator(json.loads(contract.SCHEMA_FILE.read_text()))

Make = Callable[..., Answer]


def lines(answers: Any) -> list[str]:
    text = "".join(Jsonl().render(iter(answers)))
    assert not text or text.endswith("\n")
    return text.split("\n")[:-1]


def test_a_report_is_the_contracts_object_and_can_be_read_back(every_state: tuple[Answer, ...]) -> None:
    for answer, line in zip(every_state[:5], lines(every_state[:5]), strict=True):
        VALIDATOR.validate(json.loads(line))
        assert answer.report is not None
        assert contract.decode(line) == contract.decode(contract.encode(answer.report))


def test_names_and_what_is_accepted_are_beside_it(every_state: tuple[Answer, ...]) -> None:
    first, _, gate, *_ = (json.loads(line) for line in lines(every_state))
    assert first["catalog"]["names"] == ["shop/fashion.onnx", "copy/of it.onnx"]
    assert first["catalog"]["origin"] == {"revision": "0123abcd"}
    assert gate["catalog"]["suppressed"] == {
        "value-gate": {
            "reason": "Looked at in review 12: a range check.", "model": "vendor/*", "expires": "2099-01-02",
        }
    }  # fmt: skip


def test_a_model_without_a_report_says_why(every_state: tuple[Answer, ...]) -> None:
    broken, pointer, later = (json.loads(line) for line in lines(every_state[5:]))
    assert list(broken)[:5] == ["schema", "state", "code", "why", "name"]
    assert (broken["schema"], broken["state"], broken["code"]) == ("onnxray/answer/1", "failed", "error")
    assert broken["why"] == "broken.onnx: it ends in the middle of a tensor"
    assert (broken["sha256"], broken["bytes"], broken["tries"]) == ("4e5f" * 16, 77, 3)
    assert (pointer["state"], pointer["code"], pointer["names"]) == ("unscanned", "not-downloaded", ["pointer.onnx"])
    assert later["state"] == "waiting"


def test_answers_are_streamed(every_state: tuple[Answer, ...]) -> None:
    def endless() -> Any:
        while True:
            yield every_state[0]

    pieces = Jsonl().render(endless())
    assert next(pieces) == next(pieces)


def test_the_same_answers_give_the_same_bytes(every_state: tuple[Answer, ...]) -> None:
    assert lines(every_state) == lines(list(every_state))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_names_stay_on_one_line(data: Any, clean: Report, hostile: tuple[str, ...], answer: Make) -> None:
    text = st.text(max_size=12) | st.sampled_from(hostile)
    names = tuple(data.draw(st.lists(text, min_size=1, max_size=3)))
    odd = replace(clean, class_names=(data.draw(text),))
    found = lines([answer(odd, names=names), Answer(names, State.FAILED, why=data.draw(text))])
    assert len(found) == 2
    for line in found:
        assert not any(c in line for c in "\x1b\x00\x9b\u202e\u2028\r")
    told = json.loads(found[0])["catalog"]["names"], json.loads(found[1])["names"]
    assert told[0] == told[1] == [name.encode("utf-8", "backslashreplace").decode() for name in names]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_number_is_no_json(value: float, every_state: tuple[Answer, ...]) -> None:
    (line,) = lines([replace(every_state[6], origin={}, seconds=value)])
    assert json.loads(line, parse_constant=lambda name: pytest.fail(name))["seconds"] is None
