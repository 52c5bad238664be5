"""Rows of a table in Markdown, each printed as soon as it is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["table_head", "table_row"]


def table_row(cells: Iterable[str]) -> str:
    """One line; a bar within a cell, which would end it, becomes a slash."""
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def table_head(names: Sequence[str]) -> str:
    """The names of the columns, and the line below them."""
    return f"{table_row(names)}\n{table_row(['---'] * len(names))}"
