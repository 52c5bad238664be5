"""The models of a built zoo that a benchmark is run on, and clean pictures for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ...scanner.errors import OptionError, SamplesError
from ...scanner.samples import stratified
from ..zoo.datasets import Dataset, load
from .record import Subject

__all__ = ["STORED", "Chosen", "Placed", "choose", "load_split", "pictures", "placed", "saved", "stored"]

STORED = 400  # most pictures that lie beside a model
SEED = 0


@dataclass(frozen=True)
class Placed:
    """A model of the zoo, and its folder."""

    place: Path
    subject: Subject

    @property
    def model(self) -> Path:
        """The file."""
        return self.place / "model.onnx"


@dataclass(frozen=True)
class Chosen:
    """Clean pictures of a model, as ``np.savez`` keeps them (grey ones without channels), and where they lie.

    Attributes:
        index: their places in the data set's test split.
    """

    x: NDArray[Any]
    y: NDArray[np.int64]
    index: NDArray[np.int64]

    @classmethod
    def of(cls, split: Dataset, index: NDArray[np.int64]) -> Self:
        """These places of a test split."""
        x = split.x_test[index]
        return cls(x[..., 0] if x.ndim == 4 and x.shape[3] == 1 else x, split.y_test[index], index)

    def take(self, places: NDArray[np.intp]) -> Chosen:
        """Those of them."""
        return Chosen(self.x[places], self.y[places], self.index[places])


def placed(zoo: Path, parts: Sequence[str], only: str = "*") -> list[Placed]:
    """The models of these parts whose names fit a pattern, by name; those whose attack did not take are not in it.

    Raises:
        OptionError: there is none.
        SamplesError: a ``truth.json`` is damaged.
    """
    files = sorted(path for part in parts for path in (zoo / part).glob("*/truth.json"))
    found = [Placed(path.parent, Subject.read(path.parent)) for path in files if fnmatch(path.parent.name, only)]
    if not found:
        where = " or ".join(str(zoo / part) for part in parts)
        raise OptionError(f"{where}: holds no model like {only!r}; make some with onnxray zoo build {zoo}")
    return found


def stored(place: Path) -> Chosen:
    """The clean test pictures that lie beside a model.

    Raises:
        SamplesError: they cannot be read.
    """
    path = place / "samples.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            return Chosen(file["x"], file["y"], file["index"])
    except (OSError, ValueError, KeyError) as error:
        raise SamplesError(f"{path}: not of the zoo ({error}); remove the folder and build again") from None


def choose(of: Placed, count: int, data: Path | None) -> Chosen:
    """At most so many clean pictures, the classes shared evenly; the fewer are among the more.

    From those beside the model, or from the whole test split where they are too few and the data are at hand.

    Raises:
        SamplesError: they cannot be read.
    """
    own = stored(of.place)
    split = load_split(of.subject.dataset, data) if count > len(own.y) and data is not None else None
    if split is None:
        return own.take(stratified(own.y, count, SEED))
    index = np.setdiff1d(np.arange(len(split.y_test)), own.index)
    more = index[stratified(split.y_test[index], count - len(own.y), SEED)]
    return Chosen.of(split, np.concatenate([own.index, more]))


@lru_cache(maxsize=2)
def load_split(dataset: str, data: Path) -> Dataset | None:
    """A data set, or None where it is not in the folder."""
    try:
        return load(dataset, data)
    except SamplesError:
        return None


def pictures(chosen: Chosen) -> AbstractContextManager[Path]:
    """The pictures as a file that a scan reads, for as long as the context lasts."""
    return saved(chosen.x, chosen.y)


@contextmanager
def saved(x: NDArray[Any], y: NDArray[np.int64]) -> Iterator[Path]:
    """Examples and labels as a user's file, for as long as the context lasts."""
    with TemporaryDirectory(prefix="onnxray-bench-") as folder:
        path = Path(folder) / "samples.npz"
        np.savez(path, x=x, y=y)
        yield path
