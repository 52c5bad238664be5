"""The operator table in the docs is that of the code."""

from __future__ import annotations

from pathlib import Path

from onnxray.models.conversion.operator_table import markdown

DOCS = Path(__file__).parents[2] / "docs"


def test_the_docs_hold_the_table_of_the_code() -> None:
    assert (DOCS / "operators.md").read_text(encoding="utf-8") == markdown(), "run `make operators`"


def test_every_operator_says_what_it_is() -> None:
    rows = [line for line in markdown().splitlines() if line.startswith("| ") and "from opset" not in line]

    assert len(rows) > 200
    assert not [row for row in rows if row.endswith("|  |")]
