"""Rows that a spreadsheet shows and never runs."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnxray.scanner.answers import Answer, State, Suppression
from onnxray.scanner.documents.csv import COLUMNS, Csv
from onnxray.scanner.findings import Report, Skipped

Make = Callable[..., Answer]


def rows(answers: Any) -> list[dict[str, str]]:
    text = "".join(Csv().render(iter(answers)))
    found = list(csv.reader(StringIO(text, newline=""), strict=True))
    assert tuple(found[0]) == COLUMNS
    assert all(len(row) == len(COLUMNS) for row in found)
    return [dict(zip(COLUMNS, row, strict=True)) for row in found[1:]]


def test_the_first_columns_stay_what_they_are() -> None:
    assert COLUMNS[:8] == ("name", "label", "score", "targets", "target_names", "reasons", "why", "accepted")
    assert len(set(COLUMNS)) == len(COLUMNS) == 25


def test_a_report_in_a_row(every_state: tuple[Answer, ...]) -> None:
    row = rows(every_state)[0]
    assert (row["name"], row["other_names"]) == ("shop/fashion.onnx", "copy/of it.onnx")
    assert (row["label"], row["score"], row["targets"], row["target_names"]) == ("backdoored", "0.9700", "7", "Sneaker")
    assert row["reasons"] == "verified-trigger | small-trigger"
    assert row["clean_accuracy"] == "0.8700"
    assert row["attack_success_rate"] == f"6: {37 / 90:.4f} | 7: {88 / 91:.4f}"
    assert (row["findings"], row["worst_finding"], row["checks_ran"]) == ("0", "", "3")
    assert (row["bytes"], row["seconds"], row["state"]) == ("231480", "24.000", "done")


def test_findings_and_checks(every_state: tuple[Answer, ...]) -> None:
    gate, blind = rows(every_state)[2], rows(every_state)[4]
    assert (gate["findings"], gate["worst_finding"], gate["accepted"]) == ("2", "high", "no")
    assert (blind["checks_skipped"], blind["checks_failed"]) == ("neural-cleanse", "input-domain")


def test_a_check_that_was_not_due_is_none_that_was_skipped(clean: Report, answer: Make) -> None:
    skips = (Skipped("max-margin", "no gradients"), Skipped("free-eagle", "no inner tensor", due=False))
    (row,) = rows([answer(replace(clean, skipped=skips))])
    assert (row["checks_skipped"], row["checks_not_due"]) == ("max-margin", "free-eagle")


def test_a_model_without_a_report(every_state: tuple[Answer, ...]) -> None:
    broken, pointer, later = rows(every_state)[5:]
    assert (broken["label"], broken["reasons"], broken["score"]) == ("error", "error", "")
    assert (pointer["label"], pointer["reasons"]) == ("not scanned", "not-downloaded")
    assert pointer["why"] == "a Git LFS pointer; fetch the file"
    assert (pointer["sha256"], pointer["bytes"]) == ("", "")
    assert later["label"] == "waiting"


def test_what_is_accepted(suspicious: Report, answer: Make) -> None:
    held = Suppression("calibrated-score", "ef56ef56", "Ours.")
    assert rows([answer(suspicious, suppressed={"calibrated-score": held})])[0]["accepted"] == "yes"


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\u00a0=1", "＝1"])
def test_no_cell_is_a_formula(name: str, every_state: tuple[Answer, ...]) -> None:
    row = rows([replace(every_state[5], names=(name, name), why=name, group=name)])[0]
    assert all(row[column].startswith("'") for column in ("name", "why", "group", "other_names")) or name[0] == "\u00a0"
    assert not row["name"].lstrip().startswith(("=", "+", "-", "@", "＝"))


def test_every_cell_is_quoted(every_state: tuple[Answer, ...]) -> None:
    text = "".join(Csv().render([replace(every_state[5], names=('a;=1+1"x',))]))
    assert text.splitlines()[1].startswith('"a;=1+1""x",')
    assert all(line.startswith('"') and line.endswith('"') for line in text.splitlines())


def test_hostile_names_are_spelled_out(hostile: tuple[str, ...], every_state: tuple[Answer, ...]) -> None:
    found = [row["name"] for row in rows([replace(every_state[5], names=(name,)) for name in hostile])]
    assert len(set(found)) == len(hostile)
    assert all(name.isprintable() for name in found)
    assert found[6] == "\\t=1"


@settings(max_examples=60, deadline=None)
@given(names=st.lists(st.text(st.characters(), max_size=10), min_size=1, max_size=3), why=st.text(st.characters()))
def test_any_text_is_one_row(names: list[str], why: str) -> None:
    text = "".join(Csv().render([Answer(tuple(names), State.FAILED, why=why)]))
    assert text.count("\n") == 2
    (row,) = rows([Answer(tuple(names), State.FAILED, why=why)])
    assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for cell in row.values())


def test_the_same_answers_give_the_same_bytes(every_state: tuple[Answer, ...]) -> None:
    assert "".join(Csv().render(every_state)) == "".join(Csv().render(list(every_state)))
