"""A manifest's entries as plain values: TOML with one table a model, or CSV with one line a model."""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...converters.messages import one_line
from ..errors import OptionError
from .naming import printable

__all__ = ["Told", "is_manifest", "told_by"]

_SUFFIXES = (".toml", ".csv")
_LARGEST = 1 << 24
_MOST_LISTED = 100  # lines or cells of one CSV line


@dataclass(frozen=True)
class Told:
    """One entry of a manifest; ``where`` says which, such as "entry 3" or "line 4"."""

    where: str
    values: dict[str, Any]


def is_manifest(name: str) -> bool:
    """Whether this is the name of a manifest of ours."""
    return name.lower().endswith(_SUFFIXES)


def told_by(manifest: Path) -> list[Told]:
    """All entries of a manifest; in CSV empty cells are left out.

    Raises:
        OptionError: it cannot be read, is no TOML or CSV, or names no model at all.
    """
    text = _text(manifest)
    found = list(_of_toml(manifest, text) if manifest.suffix.lower() == ".toml" else _of_csv(manifest, text))
    if not found:
        how = "[[model]] tables" if manifest.suffix.lower() == ".toml" else "lines below the columns' names"
        raise OptionError(f"{manifest}: names no model; write {how}")
    return found


def _text(manifest: Path) -> str:
    try:
        if manifest.stat().st_size > _LARGEST:
            raise OptionError(f"{manifest}: larger than 16 MiB; is it a manifest?")
        return manifest.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise OptionError(f"{printable(str(manifest))}: cannot be read ({error.strerror}); check the path") from None
    except UnicodeDecodeError as error:
        raise OptionError(f"{manifest}: not UTF-8 at byte {error.start}; save it as UTF-8") from None


def _of_toml(manifest: Path, text: str) -> Iterator[Told]:
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise OptionError(f"{manifest}: not TOML: {one_line(error)}") from None
    models, defaults = content.pop("model", []), content.pop("defaults", {})
    if content:
        raise OptionError(
            f"{manifest}: expected [defaults] and [[model]] tables, got {one_line(next(iter(content)))!r}"
        )
    if not isinstance(defaults, dict) or not isinstance(models, list) or not all(isinstance(m, dict) for m in models):
        raise OptionError(
            f"{manifest}: expected a table [defaults] and tables [[model]], got other values of that name"
        )
    for number, model in enumerate(models, 1):
        yield Told(f"entry {number}", {**defaults, **model})


def _of_csv(manifest: Path, text: str) -> Iterator[Told]:
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = [name.strip() for name in next(lines, [])]
        if "model" not in columns or len(set(columns)) != len(columns) or len(columns) > _MOST_LISTED:
            raise OptionError(f"{manifest}: line 1: expected the columns' names, each once, one of them model")
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(columns):
                raise OptionError(
                    f"{manifest}: line {lines.line_num}: expected {len(columns)} cells, got {len(cells)}; "
                    "put quotes around one that holds a comma"
                )
            given = zip(columns, (cell.strip() for cell in cells), strict=True)
            yield Told(f"line {lines.line_num}", {name: cell for name, cell in given if cell})
    except csv.Error as error:
        raise OptionError(f"{manifest}: line {lines.line_num}: not CSV: {one_line(error)}") from None
