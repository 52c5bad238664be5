"""Rows of a table, or of token ids, in a NumPy ``.npz``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from .errors import SamplesError
from .image_arrays import PAIRS, read_arrays, read_labels

__all__ = ["Rows", "holds_rows", "list_rows"]


class Rows(NamedTuple):
    """Inputs (N, F) of numbers, labels (N,) int64, and the words that token ids stand for; () if unknown."""

    x: NDArray[Any]
    y: NDArray[np.int64]
    tokens: tuple[str, ...]


def holds_rows(path: Path) -> bool:
    """Whether a file is an ``.npz`` whose inputs have two axes, which no pictures have; only its heads are read."""
    if path.suffix.lower() != ".npz" or not path.is_file():
        return False
    try:
        with ZipFile(path) as file:
            return any(_axes(file, f"{pair[0]}.npy") == 2 for pair in PAIRS)
    except (BadZipFile, OSError, ValueError, NotImplementedError):
        return False  # whoever reads it says what is wrong with it


def list_rows(path: Path) -> Rows:
    """The samples of an ``.npz`` with ``x`` (N, F) of numbers and ``y`` (N,); ``tokens``, names by id, is optional.

    Raises:
        SamplesError: damaged file, missing keys, or arrays of another kind.
    """
    arrays = read_arrays(path, "tokens")
    keys = next((pair for pair in PAIRS if set(pair) <= set(arrays)), None)
    if keys is None:
        raise SamplesError(f"{path}: expected the arrays x and y, got {sorted(arrays)}; save both with np.savez")
    x, y = arrays[keys[0]], read_labels(arrays[keys[1]], f"{path}: {keys[1]}")
    if len(x) != len(y) or not len(y):
        raise SamplesError(f"{path}: expected rows with one label for each, got {len(x)} rows and {len(y)} labels")
    if x.dtype.kind not in "iuf" or not np.isfinite(x).all():
        raise SamplesError(f"{path}: {keys[0]}: expected finite numbers, got {x.dtype}; leave out what is not")
    return Rows(x, y, tuple(str(name) for name in arrays.get("tokens", np.array([])).ravel()))


def _axes(file: ZipFile, name: str) -> int:
    """How many axes an array has; 0 where it is not there."""
    if name not in file.namelist():
        return 0
    with file.open(name) as array:
        version = npy.read_magic(array)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        return len(read(array)[0])
