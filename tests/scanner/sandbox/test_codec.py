"""Data from the other side: every type comes back as it was, and nothing else gets through."""

import json
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnxray.scanner.findings import Evaluation, Evidence, Rate, Report
from onnxray.scanner.sandbox.codec import CodecError, decode, encode, hints_of
from onnxray.scanner.triggers import Trigger


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Inner:
    values: tuple[int, ...] = ()


@dataclass(frozen=True)
class Outer:
    colour: Colour
    norm: Literal["l1", "l2"]
    place: Path
    share: float
    maybe: Inner | None
    two: tuple[Inner, Inner]
    table: dict[str, NDArray[np.float32]]
    anything: object


INNER = Inner((1, 2))
OUTER = Outer(Colour.RED, "l2", Path("a/b"), float("nan"), None, (INNER, INNER), {"m": np.ones((2, 3), np.float32)}, {})


def back(value: object, hint: Any) -> Any:
    return decode(*encode(value), hint)


def test_every_kind_of_field_comes_back() -> None:
    told = replace(OUTER, anything={"a": (1, None, "x"), "b": [True, np.float32(0.5)], "c": np.arange(3)})
    got = back(told, Outer)
    assert (got.colour, got.norm, got.place, got.maybe) == (Colour.RED, "l2", Path("a/b"), None)
    assert got.share != got.share
    assert got.two[0] is got.two[1]
    np.testing.assert_array_equal(got.table["m"], OUTER.table["m"])
    assert got.anything["a"] == (1, None, "x")
    assert got.anything["b"] == [True, 0.5]
    np.testing.assert_array_equal(got.anything["c"], np.arange(3))


def test_a_report_comes_back_with_its_triggers_still_the_same_objects(backdoored: Report) -> None:
    trigger = Trigger(3, np.ones((4, 4), np.float32), np.zeros((1, 4, 4), np.float32))
    evidence = Evidence("x", (0.5, float("nan")), "size", triggers=(trigger,))
    evaluation = Evaluation(Rate(1, 2), ((trigger, Rate(2, 2)),), 2, "CPU")
    report = replace(backdoored, evidence=(*backdoored.evidence, evidence), evaluation=evaluation)
    got = back(report, Report)
    assert got.evaluation.attack_success[0][0] is got.evidence[-1].triggers[0]
    assert encode(got) == encode(report)
    assert {f.name for f in fields(Report)} <= set(hints_of(Report))


def test_texts_cannot_repaint_a_terminal() -> None:
    assert back("a\x1b[31m\u202eb\n", str) == "a [31m b\n"
    assert back({"k": "\x07"}, object) == {"k": " "}


def changed(**fields: object) -> bytes:
    data = json.loads(encode(OUTER)[0])
    data["fields"] |= fields
    return json.dumps(data).encode()


@pytest.mark.parametrize(
    "text",
    [
        changed(colour="blue"), changed(norm="l3"), changed(share="much"), changed(share=True), changed(place=7),
        changed(maybe={"$object": 9}), changed(two={"$tuple": []}), changed(extra=1), changed(maybe={"$object": 0}),
        changed(table={"$map": [["m", {"$array": ["|O8", [1], 0]}]]}),
        changed(table={"$map": [["m", {"$array": ["<f4", [10**9], 0]}]]}),
        changed(table={"$map": [["m", {"$array": ["<f4", [-1], 0]}]]}),
        b"[" * 100_000, b"", b"\xff", b"null",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: bytes) -> None:
    with pytest.raises(CodecError):
        decode(text, bytes(24), Outer)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda s: st.lists(s) | st.dictionaries(st.text(max_size=9), s),
        max_leaves=20,
    )
)
def test_forged_data_never_gets_further_than_an_error(data: object) -> None:
    for hint in (Outer, Report, tuple[int, ...], dict[str, float]):
        try:
            decode(json.dumps(data).encode(), b"", hint)
        except CodecError:
            continue
