"""The table of many models: order, variants, what is left out, and how wide it is."""

from __future__ import annotations

import subprocess
import sys
from io import StringIO
from typing import Any

import pytest
from onnxray.scanner.answers import Answer, State
from onnxray.scanner.cli.catalog_table import catalog_view
from onnxray.scanner.cli.rows import Row, families, row_of
from rich.console import Console


def drawn(rows: list[Row], width: int = 100, **how: Any) -> list[str]:
    console = Console(file=StringIO(), width=width, color_system=None)
    with console.capture() as captured:
        console.print(catalog_view(rows, width, **how))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_a_family_stands_where_its_worst_member_does() -> None:
    rows = [
        Row("b/clean.onnx", "clean", score=0.1, group="b"),
        Row("c.onnx", "suspicious", score=0.6),
        Row("a.onnx", "clean", score=0.4),
        Row("b/bad.onnx", "backdoored", score=0.9, group="b"),
        Row("d.onnx", "inconclusive"),
    ]
    names = [[row.name for row in family] for family in families(rows)]
    assert names == [["b/bad.onnx", "b/clean.onnx"], ["c.onnx"], ["d.onnx"], ["a.onnx"]]
    lines = drawn(rows)
    place = next(i for i, line in enumerate(lines) if line.startswith("b  2 variants"))
    assert [line.split()[0] for line in lines[place + 1 : place + 3]] == ["bad.onnx", "clean.onnx"]
    loose = drawn(rows, together=False)
    assert not any("variants" in line for line in loose)
    assert [line.split()[0] for line in loose[1:3]] == ["b/clean.onnx", "c.onnx"]


def test_a_folder_that_all_share_is_told_once() -> None:
    rows = [Row("zoo/x/a1.onnx", "clean"), Row("zoo/x/a2.onnx", "clean")]
    lines = drawn(rows)
    assert lines[0].startswith("model in zoo/x/")
    assert lines[1].startswith("a1.onnx")
    assert drawn(rows[:1])[1].startswith("zoo/x/a1.onnx")
    hub = [Row("hf://org/a@1/m.onnx", "clean"), Row("hf://org/b@1/m.onnx", "clean")]
    assert drawn(hub)[1].startswith("hf://org/a@1/m.onnx")


def test_a_long_table_leaves_out_clean_models_only_and_says_so() -> None:
    rows = [Row(f"clean-{i:03}.onnx", "clean", score=0.1) for i in range(150)]
    rows += [Row(f"bad-{i:03}.onnx", "backdoored", score=0.9) for i in range(150)]
    lines = drawn(rows, more="onnxray results --label clean")
    assert sum(line.startswith("bad-") for line in lines) == 150
    assert sum(line.startswith("clean-") for line in lines) == 100
    assert "… and 50 more, all clean: onnxray results --label clean" in lines
    assert sum(line.startswith("clean-") for line in drawn(rows)) == 150


def test_many_that_could_not_be_scanned_are_counted_by_code() -> None:
    rows = [Row(f"{i:03}.onnx", "not scanned", code="not-downloaded", why="a pointer") for i in range(50)]
    lines = drawn(rows)
    assert any("and 20 more (20 not-downloaded)" in line for line in lines)
    assert not any("verdict" in line for line in lines)  # no table without a verdict


@pytest.mark.parametrize("width", [40, 80, 119, 120, 200])
def test_names_are_never_cut_and_sentences_need_room(width: int) -> None:
    name = "vendor/" + "a-rather-long-name-" * 4 + ".onnx"
    row = Row(name, "backdoored", 2, 0.97, "7", "7 (Sneaker)", "verified-trigger", "A trigger turns 88 of 91.", 21.0)
    lines = drawn([row], width)
    assert all(len(line) <= width for line in lines)
    text = "".join("".join(lines).split())
    assert ("Atriggerturns88of91." in text) == (width >= 120)
    if width >= 80:
        first = slice(0, lines[0].index("verdict"))
        named = "".join(line[first].strip() for line in lines[1 : lines.index("")])
        assert named.replace(" ", "") == name + "+2names"


def test_rows_of_answers_without_a_report() -> None:
    lost = Answer(("a\x1b[31m.onnx", "b.onnx"), State.FAILED, why="a.onnx: broken\nbadly", code="error")
    row = row_of(lost)
    assert (row.name, row.others, row.label, row.score) == ("a [31m.onnx", 1, "error", None)
    assert row.why == "a.onnx: broken badly"
    assert row_of(Answer(("c.onnx",), State.WAITING)).label == "waiting"


def test_reading_results_needs_neither_torch_nor_onnx() -> None:
    code = (
        "import sys, onnxray.scanner.cli.results_query, onnxray.scanner.cli.scan_many;"
        "print(sorted({'torch', 'onnx', 'onnxruntime', 'sklearn', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"
