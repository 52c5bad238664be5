"""Pictures in a NumPy ``.npz``."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, is_zipfile

import numpy as np
from numpy.typing import NDArray

from ..converters.messages import one_line
from .errors import SamplesError
from .images import Listing, Picture

__all__ = ["PAIRS", "list_arrays", "read_arrays", "read_labels", "unit_range"]

PAIRS = (("x", "y"), ("x_test", "y_test"), ("images", "labels"))
_CHANNELS = (1, 3, 4)


def list_arrays(path: Path) -> Listing:
    """The samples of an ``.npz`` with ``x`` and ``y`` (or ``x_test``/``y_test``, ``images``/``labels``).

    Pictures: (N, H, W), (N, H, W, C) or (N, C, H, W) with C 1, 3 (RGB) or 4 (alpha is dropped); values as
    ``unit_range`` says. Labels: (N,) or (N, 1) integers. ``class_names`` is optional. Pickled arrays are refused.

    Raises:
        SamplesError: damaged file, missing keys, or arrays of another kind.
    """
    arrays = read_arrays(path)
    keys = next((pair for pair in PAIRS if set(pair) <= set(arrays)), None)
    if keys is None:
        raise SamplesError(
            f"{path}: expected the arrays x and y, got {sorted(arrays)}; save it with np.savez(x=..., y=...)"
        )
    x, y = (arrays[key] for key in keys)
    labels = read_labels(y, f"{path}: {keys[1]}")
    if len(x) != len(labels):
        raise SamplesError(
            f"{path}: expected one label for each picture, got {len(x)} pictures and {len(labels)} labels"
        )
    x = _channels_last(x, f"{path}: {keys[0]}")
    white = _white(x, f"{path}: {keys[0]}")
    names = tuple(str(name) for name in arrays.get("class_names", np.array([])).ravel())
    return Listing(labels, names, lambda chosen: list(_scaled(x[chosen], white)))


def read_arrays(path: Path, *further: str) -> dict[str, NDArray[Any]]:
    """The arrays of an ``.npz`` by name; of those that are neither samples nor ``further``, only the name.

    Raises:
        SamplesError: damaged, or with pickled objects, which are never loaded.
    """
    if not is_zipfile(path):
        raise SamplesError(f"{path}: not an .npz, or cut off; write it again with np.savez(x=..., y=...)")
    wanted = {"class_names", *further}.union(*PAIRS)
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] if key in wanted else np.empty(0) for key in file.files}
    except ValueError as error:
        if "pickle" in str(error):
            raise SamplesError(f"{path}: holds pickled objects, which are never loaded; save plain arrays") from None
        raise SamplesError(f"{path}: not a readable .npz ({one_line(error)})") from None
    except (OSError, EOFError, BadZipFile, zlib.error, KeyError, AttributeError, NotImplementedError) as error:
        raise SamplesError(
            f"{path}: not a readable .npz, perhaps cut off ({one_line(error)}); write it again"
        ) from None
    except MemoryError:
        raise SamplesError(f"{path}: its arrays do not fit into memory; save fewer pictures") from None


def read_labels(y: NDArray[Any], where: str) -> NDArray[np.int64]:
    """Labels (N,) or (N, 1) as (N,) int64; raises SamplesError where they are no whole numbers."""
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if y.ndim != 1:
        raise SamplesError(f"{where}: expected labels of shape (N,), got {y.shape}; for one-hot rows save y.argmax(1)")
    if y.dtype.kind not in "iu":
        raise SamplesError(f"{where}: expected integer labels, got {y.dtype}; save class numbers from 0 on")
    return y.astype(np.int64)


def _channels_last(x: NDArray[Any], where: str) -> NDArray[Any]:
    if x.ndim == 4 and x.shape[3] not in _CHANNELS and x.shape[1] in _CHANNELS:
        x = x.transpose(0, 2, 3, 1)
    if x.ndim == 4 and x.shape[3] in _CHANNELS:
        x = x[..., 0] if x.shape[3] == 1 else x[..., :3]
    if (x.ndim != 3 and (x.ndim != 4 or x.shape[3] != 3)) or 0 in x.shape[1:3]:
        rows = "; rows of a table or of text are no pictures, and only models of pictures can be scanned yet"
        raise SamplesError(
            f"{where}: expected (N, H, W), (N, H, W, C) or (N, C, H, W) with C 1 or 3, got {x.shape}"
            f"{rows if x.ndim == 2 else ''}"
        )
    return x


def unit_range(x: NDArray[Any], where: str) -> Picture:
    """Pixels as uint8 in 0..255, or as float32 in [0, 1] where they are not 8-bit.

    Integers up to 1 and booleans are black and white, up to 255 8-bit, up to 65535 16-bit; floats up to 1 are taken as
    they are, floats up to 255 are divided by 255. The largest value of all pictures decides.

    Raises:
        SamplesError: NaN or infinite pixels, values outside these ranges, or no numbers at all.
    """
    return _scaled(x, _white(x, where))


def _white(x: NDArray[Any], where: str) -> int:
    """The value that white has in these pictures: 1, 255 or 65535."""
    if x.dtype.kind not in "biuf":
        raise SamplesError(f"{where}: expected numbers, got {x.dtype}")
    low, high = (float(x.min()), float(x.max())) if x.size else (0.0, 0.0)
    if not np.isfinite([low, high]).all():
        raise SamplesError(f"{where}: has NaN or infinite pixels; leave those pictures out")
    is_float = x.dtype.kind == "f"
    white = next((white for white in ((1, 255) if is_float else (1, 255, 65535)) if high <= white), None)
    if white is None or low < 0 or (is_float and 1 < high < 2):  # up to 2: neither scale, rather a normalised picture
        expected = "[0, 1] or [0, 255]"
        raise SamplesError(f"{where}: expected raw pixels in {expected}, got {low:g}..{high:g}; undo the normalisation")
    return white


def _scaled(x: NDArray[Any], white: int) -> Picture:
    if white == 255 and x.dtype.kind != "f":
        return x.astype(np.uint8)
    return x.astype(np.float32) / np.float32(white)
