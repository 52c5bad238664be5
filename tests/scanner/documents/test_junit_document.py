"""JUnit's XML as its readers want it: counts that add up, no character that XML cannot hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnxray.scanner.answers import Answer, State, Suppression
from onnxray.scanner.documents.junit import Junit
from onnxray.scanner.errors import OptionError
from onnxray.scanner.findings import Report, Severity
from onnxray.scanner.registry import build

# What the schema of Jenkins's xunit plugin (junit-10.xsd) allows, as far as it is used here.
ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"},
    "testcase": {"name", "classname", "time"},
    "properties": set(),
    "property": {"name", "value"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
    "skipped": {"message"},
    "system-out": set(),
}
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase"},
    "properties": {"property"},
    "testcase": {"failure", "error", "skipped", "system-out"},
}

Make = Callable[..., Answer]


def suites(answers: Any, **options: Any) -> ElementTree.Element:
    text = "".join(Junit(**options).render(iter(answers)))
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n')
    root = ElementTree.fromstring(text.encode())
    for element in root.iter():
        assert set(element.attrib) <= ATTRIBUTES[element.tag]
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())
    _add_up(root)
    return root


def _add_up(root: ElementTree.Element) -> None:
    for element in (root, *root.iter("testsuite")):
        assert element.get("tests") == str(len(list(element.iter("testcase"))))
        assert element.get("failures") == str(len(list(element.iter("failure"))))
        assert element.get("errors") == str(len(list(element.iter("error"))))
    for suite in root.iter("testsuite"):
        assert suite.get("skipped") == str(len(list(suite.iter("skipped"))))


def outcome(root: ElementTree.Element, name: str) -> str:
    (case,) = [c for c in root.iter("testcase") if c.get("name") == name]
    return next((child.tag for child in case if child.tag != "system-out"), "passed")


def output(root: ElementTree.Element, name: str) -> str:
    return next(c.findtext("system-out", "") for c in root.iter("testcase") if c.get("name") == name)


def test_a_suite_for_each_group(every_state: tuple[Answer, ...]) -> None:
    root = suites(every_state)
    assert [(s.get("name"), s.get("tests")) for s in root] == [("onnxray", "5"), ("shop", "1"), ("vendor", "2")]
    assert root[0].get("timestamp") == "2026-03-04T05:10:00"
    assert root[2][1].get("classname") == "vendor"
    zoned = replace(every_state[0], ended="2026-03-04T06:06:07.123+01:00")
    assert suites([zoned])[0].get("timestamp") == "2026-03-04T05:06:07"
    assert "timestamp" not in suites([replace(zoned, ended="soon")])[0].attrib


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("shop/fashion.onnx", "failure"),
        ("shop/fashion_fp16.onnx", "passed"),
        ("vendor/gate.onnx", "failure"),
        ("vendor/odd.onnx", "failure"),
        ("zoo.zip!nets/blind.onnx", "error"),
        ("broken.onnx", "error"),
        ("pointer.onnx", "error"),
        ("later.onnx", "skipped"),
    ],
)
def test_outcomes(every_state: tuple[Answer, ...], name: str, expected: str) -> None:
    assert outcome(suites(every_state), name) == expected


def test_the_bar_can_be_raised_and_lowered(every_state: tuple[Answer, ...]) -> None:
    assert outcome(suites(every_state, fail_on="backdoored"), "vendor/odd.onnx") == "passed"
    assert outcome(suites(every_state, allow_inconclusive=True), "zoo.zip!nets/blind.onnx") == "passed"
    with pytest.raises(OptionError):
        build(Junit, {"fail_on": "perhaps"})
    assert build(Junit, {"fail_on": "backdoored", "fail_on_finding": "low"}) == Junit(
        fail_on="backdoored", fail_on_finding=Severity.LOW
    )


def test_a_failure_says_why(every_state: tuple[Answer, ...]) -> None:
    (failure,) = suites(every_state[:1]).iter("failure")
    assert failure.get("type") == "backdoored"
    assert failure.get("message") == "shop/fashion.onnx: backdoored towards 7"
    assert "verified-trigger: A trigger turns 88 of 91" in (failure.text or "")
    (error,) = suites(every_state[6:7]).iter("error")
    assert error.get("type") == "not-downloaded"
    assert error.text == "a Git LFS pointer; fetch the file"


def test_the_output_has_the_measurements_and_the_copies(every_state: tuple[Answer, ...]) -> None:
    told = output(suites(every_state), "shop/fashion.onnx")
    assert "sha256: " + "ab12" * 16 in told
    assert "also called: copy/of it.onnx" in told
    assert "clean accuracy: 0.8700 of 100 samples" in told
    assert "skipped: neural-cleanse: " in output(suites(every_state), "zoo.zip!nets/blind.onnx")


def test_what_is_accepted_passes_and_says_so(suspicious: Report, answer: Make) -> None:
    held = Suppression("calibrated-score", "ef56ef56", "We made it ourselves.")
    root = suites([answer(suspicious, names=("m",), suppressed={"calibrated-score": held})])
    assert outcome(root, "m") == "passed"
    assert "accepted: calibrated-score: We made it ourselves." in output(root, "m")


def test_the_same_answers_give_the_same_bytes(every_state: tuple[Answer, ...]) -> None:
    assert "".join(Junit().render(every_state)) == "".join(Junit().render(list(every_state)))


def test_no_answers_are_no_suites() -> None:
    assert len(suites([])) == 0


def test_hostile_names_are_spelled_out(hostile: tuple[str, ...], every_state: tuple[Answer, ...]) -> None:
    root = suites([replace(every_state[5], names=(name,), why=name) for name in hostile])
    names = [case.get("name", "") for case in root.iter("testcase")]
    assert names[0] == "\\x1b[31mred\\x07\\x00.onnx"
    assert names[1] == "\\u202egnp.exe\\u2066.onnx"
    assert len(set(names)) == len(hostile)
    assert all(name.isprintable() and len(name) <= 1000 for name in names)


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_any_text_gives_xml_that_can_be_read(data: Any, every_state: tuple[Answer, ...]) -> None:
    text = st.text(st.characters(), max_size=8)
    lost = [
        Answer((data.draw(text),), state, why=data.draw(text), code=data.draw(text), group=data.draw(text),
               ended=data.draw(text))
        for state in (State.FAILED, State.UNSCANNED, State.WAITING)
    ]  # fmt: skip
    assert len(list(suites([*lost, replace(every_state[0], group=data.draw(text))]).iter("testcase"))) == 4
