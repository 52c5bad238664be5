"""Pictures listed in a ``.csv`` or ``.parquet``: a path (or the bytes themselves) and a label in each row."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..converters.messages import one_line
from .errors import OptionError, SamplesError
from .image_folder import decode, read_files
from .images import Listing, Picture

__all__ = ["list_csv", "list_parquet", "named_files"]

_PATHS = ("path", "file", "filename", "file_name", "image")
_LABELS = ("label", "class", "y")


def list_csv(path: Path) -> Listing:
    """The pictures of a comma-separated table with a header, e.g. ``path,label``.

    Columns, in any case: path, file, filename, file_name or image; label, class or y. Paths are relative to the
    table's folder. Labels are integers, or names whose sorted order gives the indices.

    Raises:
        SamplesError: unreadable, or a column missing.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file, strict=True) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SamplesError(f"{path}: not a readable .csv in UTF-8 ({one_line(error)})") from None
    header = rows[0] if rows else []
    columns = [_column(header, accepted, path) for accepted in (_PATHS, _LABELS)]
    short = next((n for n, row in enumerate(rows, 1) if len(row) != len(header)), None)
    if short:
        raise SamplesError(f"{path}: row {short}: expected {len(header)} fields, got {len(rows[short - 1])}")
    files, texts = ([row[header.index(column)].strip() for row in rows[1:]] for column in columns)
    labels, names = _numbered(texts, path)
    return Listing(labels, names, lambda chosen: read_files([path.parent / files[i] for i in chosen]), bool(names))


def list_parquet(path: Path) -> Listing:
    """The pictures of a Parquet table; columns as in ``list_csv``.

    The picture column holds paths, encoded pictures (binary), or both as the struct {bytes, path} of Hugging Face
    data sets, whose class names are read too.

    Raises:
        SamplesError: unreadable, or a column missing.
        OptionError: pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise OptionError(f"{path}: needs pyarrow; run: pip install 'onnxray[parquet]'") from None
    try:
        table = parquet.ParquetFile(path)
        header = list(table.schema_arrow.names)
        image, label = (_column(header, accepted, path) for accepted in (_PATHS, _LABELS))
        values = table.read(columns=[label]).column(label).to_pylist()
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise SamplesError(f"{path}: not a readable .parquet ({one_line(error)})") from None
    labels, names = _numbered(values, path)
    all_names = names or _feature_names(table, label)
    return Listing(labels, all_names, lambda chosen: _rows(table, image, chosen, path), bool(names))


def named_files(path: Path) -> list[Path]:
    """The picture files that a ``.csv`` names, there or not; none of a ``.parquet``, which mostly holds the pictures.

    A table that cannot be read names none.
    """
    if path.suffix.lower() != ".csv":
        return []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file, strict=True) if row]
        column = rows[0].index(_column(rows[0], _PATHS, path)) if rows else 0
    except (OSError, UnicodeDecodeError, csv.Error, SamplesError):
        return []
    return [path.parent / row[column].strip() for row in rows[1:] if column < len(row)]


def _column(header: Sequence[str], accepted: Sequence[str], path: Path) -> str:
    by_name = {name.strip().lower(): name for name in reversed(header)}
    found = next((by_name[name] for name in accepted if name in by_name), None)
    if found is None:
        got = one_line(list(header), 200)
        raise SamplesError(f"{path}: expected a column {' or '.join(accepted)}, got {got}{_hint(header)}")
    return found


def _hint(header: Sequence[str]) -> str:
    """What is probably the matter with a header that lacks a column."""
    separator = next((name for mark, name in ((";", "semicolons"), ("\t", "tabs")) if mark in "".join(header[:1])), "")
    if separator and len(header) == 1:
        return f"; its fields are separated by {separator}, write it with commas"
    return "; the first row has to name the columns"


def _numbered(values: Sequence[Any], path: Path) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels as indices, with the class names if the labels are names."""
    empty = next((n for n, value in enumerate(values) if value is None or value == ""), None)
    if empty is not None:
        raise SamplesError(f"{path}: sample {empty + 1} has no label")
    try:
        if not any(isinstance(value, float) for value in values):
            return np.array([int(value) for value in values], dtype=np.int64), ()
    except (ValueError, TypeError, OverflowError):
        if all(isinstance(value, str) for value in values):
            names, index = np.unique(np.array(values), return_inverse=True)
            return index.astype(np.int64), tuple(names.tolist())
    raise SamplesError(f"{path}: expected labels that are integers or names, got {one_line(repr(values[0]), 60)}")


def _feature_names(table: Any, label: str) -> tuple[str, ...]:
    """Class names that Hugging Face's ``datasets`` stores in the schema's metadata."""
    try:
        info = json.loads((table.schema_arrow.metadata or {})[b"huggingface"])
        return tuple(str(name) for name in info["info"]["features"][label]["names"])
    except (KeyError, TypeError, ValueError):
        return ()


def _rows(table: Any, column: str, chosen: NDArray[np.intp], path: Path) -> list[Picture]:
    import pyarrow

    try:
        cells = list(_cells(table, column, set(chosen.tolist()), path))
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise SamplesError(f"{path}: its column {column!r} is damaged ({one_line(error)}); write it again") from None
    contents = [_content(cell, name) for name, cell in cells]
    files = [path.parent / content for content in contents if isinstance(content, str)]
    read = iter(read_files(files))  # all of them together, to count the missing
    names = [name for name, _ in cells]
    return [next(read) if isinstance(c, str) else decode(c, name) for name, c in zip(names, contents, strict=True)]


def _cells(table: Any, column: str, wanted: set[int], path: Path) -> Iterator[tuple[str, Any]]:
    """The wanted rows' cells with a name for messages, read piece by piece: a whole table may not fit into memory."""
    start = 0
    for batch in table.iter_batches(columns=[column], batch_size=256):
        for i in (i for i in range(batch.num_rows) if start + i in wanted):
            yield f"{path}: sample {start + i + 1}", batch.column(0)[i].as_py()
        start += batch.num_rows


def _content(cell: Any, name: str) -> bytes | str:
    """A picture's bytes, or else its path."""
    parts = [cell.get("bytes"), cell.get("path")] if isinstance(cell, dict) else [cell]
    found = next((part for part in parts if isinstance(part, bytes | str)), None)
    if found is None:
        raise SamplesError(f"{name}: expected a path or the bytes of an image, got {type(cell).__name__}")
    return found
