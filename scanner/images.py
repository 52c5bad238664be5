"""Clean pictures from a file or a folder: labelled, of any size, not yet fitted to any model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import OptionError, SamplesError
from .samples import stratified

__all__ = ["ImageSet", "Listing", "load_images"]

Picture = NDArray[Any]


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Labelled pictures as they were found.

    Attributes:
        images: each (H, W) or (H, W, 3), RGB; uint8 in 0..255, or float32 in [0, 1] where the source was not 8-bit.
        labels: (N,) int64, not negative.
        class_names: names by index; empty if unknown.
        source: the path, for messages.
        by_name: whether the numbers are only the places of the classes' sorted names.
    """

    images: tuple[Picture, ...]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...] = ()
    source: str = ""
    by_name: bool = False

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Listing:
    """What a source holds before any picture is read.

    Attributes:
        labels: (N,) of every sample, in the source's order.
        class_names: names by index; empty if unknown.
        read: gives the pictures at some positions.
        by_name: whether the numbers are only the places of the classes' sorted names.
    """

    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    read: Callable[[NDArray[np.intp]], list[Picture]]
    by_name: bool = False


def load_images(path: str | Path, limit: int | None = None, seed: int = 0) -> ImageSet:
    """Read labelled pictures from an ``.npz``, a folder with a sub-folder per class, or a ``.parquet`` / ``.csv``.

    What each source may hold is told in ``image_arrays``, ``image_folder`` and ``image_table``.

    Args:
        limit: read at most so many, drawn at random with the classes shared evenly; all if None.
        seed: of that draw.

    Raises:
        SamplesError: unreadable, empty, wrongly labelled, or fewer than two classes; the message names the file.
        OptionError: a limit below two, or a ``.parquet`` without pyarrow.
    """
    path = Path(path)
    if limit is not None and limit < 2:
        raise OptionError(f"expected a limit of at least 2 pictures, got {limit}")
    listing = _listing(path)
    _check_labels(listing.labels, path)
    chosen = np.arange(len(listing.labels)) if limit is None else stratified(listing.labels, limit, seed)
    pictures = tuple(listing.read(chosen))
    return ImageSet(pictures, listing.labels[chosen], listing.class_names, str(path), listing.by_name)


def _listing(path: Path) -> Listing:
    from .image_arrays import list_arrays
    from .image_folder import list_folder
    from .image_table import list_csv, list_parquet

    if not path.exists():
        raise SamplesError(f"{path}: no such file or folder; give an .npz, a folder of images, a .parquet or a .csv")
    if path.is_dir():
        return list_folder(path)
    readers = {".npz": list_arrays, ".csv": list_csv, ".parquet": list_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None or not path.is_file():
        raise SamplesError(f"{path}: expected an .npz, a folder of images, a .parquet or a .csv")
    return reader(path)


def _check_labels(labels: NDArray[np.int64], path: Path) -> None:
    if not len(labels):
        raise SamplesError(f"{path}: holds no samples; give at least one picture of each of two classes")
    if labels.min() < 0:
        raise SamplesError(f"{path}: expected labels from 0 on, got {labels.min()}; leave unlabelled samples out")
    if labels.min() == labels.max():
        raise SamplesError(f"{path}: expected samples of at least two classes, got only class {labels[0]}")
