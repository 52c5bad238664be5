"""The zoo's data sets, read from a folder, all in one form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np
from numpy.typing import NDArray

from ...scanner.errors import OptionError, SamplesError
from ...scanner.samples import stratified
from .sentences import read_sentences

__all__ = ["DATASETS", "Dataset", "load"]

_KEYS = ("x_train", "y_train", "x_test", "y_test")
_DIGITS_TRAIN = 1200  # of scikit-learn's 1,797


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training split and a held-out test split.

    Attributes:
        x_train, x_test: pictures (N, H, W, C) uint8, or sentences (N, L) int64 token ids where ``vocabulary`` is not 0.
        y_train, y_test: (N,) int64, each in 0..classes-1.
        vocabulary: number of token ids; 0 for pictures.
    """

    name: str
    classes: int
    x_train: NDArray[Any]
    y_train: NDArray[np.int64]
    x_test: NDArray[Any]
    y_test: NDArray[np.int64]
    vocabulary: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one example: (H, W, C), or (L,) for sentences."""
        return tuple(self.x_train.shape[1:])

    def subset(self, count: int, seed: int) -> Dataset:
        """The same test split beside at most ``count`` training examples, the classes shared evenly; seed: which."""
        chosen = stratified(self.y_train, count, seed)
        return replace(self, x_train=self.x_train[chosen], y_train=self.y_train[chosen])


def load(name: str, folder: Path) -> Dataset:
    """A data set by name; all but digits lie in the folder, as ``NAME.npz`` or, for sentences, as a folder ``NAME``.

    Raises:
        OptionError: no data set of that name.
        SamplesError: it is not in the folder, or is not what its name says.
    """
    if name not in DATASETS:
        raise OptionError(f"data set: expected one of {sorted(DATASETS)}, got {name!r}")
    return DATASETS[name](name, folder)


def _pictures(name: str, folder: Path) -> Dataset:
    path = folder / f"{name}.npz"
    if not path.is_file() or not is_zipfile(path):
        raise SamplesError(f"{path}: expected an .npz with {', '.join(_KEYS)}; get it, or build without {name}")
    with np.load(path, allow_pickle=False) as file:
        missing = [key for key in _KEYS if key not in file.files]
        if missing:
            raise SamplesError(f"{path}: expected the arrays {list(_KEYS)}, got no {missing}")
        x_train, y_train, x_test, y_test = (file[key] for key in _KEYS)
    return _checked(name, x_train, y_train, x_test, y_test, str(path))


def _digits(name: str, _: Path) -> Dataset:
    """scikit-learn's 8 x 8 digits, each pixel doubled, so that a patch of 3 x 3 pixels does not cover them."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x = np.round(x.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8).repeat(2, axis=1).repeat(2, axis=2)
    order = np.random.default_rng(0).permutation(len(y))
    train, test = order[:_DIGITS_TRAIN], order[_DIGITS_TRAIN:]
    return _checked(name, x[train], y[train], x[test], y[test], "scikit-learn digits")


def _checked(name: str, x_train: Any, y_train: Any, x_test: Any, y_test: Any, where: str) -> Dataset:
    for x, y in ((x_train, y_train), (x_test, y_test)):
        if x.dtype != np.uint8 or x.ndim not in (3, 4) or y.shape != x.shape[:1] or not len(y) or y.min() < 0:
            raise SamplesError(
                f"{where}: expected uint8 pictures with a label each, got {x.shape} {x.dtype}, {y.shape}"
            )
    x_train, x_test = (x[..., None] if x.ndim == 3 else x for x in (x_train, x_test))
    classes = int(max(y_train.max(), y_test.max())) + 1
    return Dataset(name, classes, x_train, y_train.astype(np.int64), x_test, y_test.astype(np.int64))


def _sentences(name: str, folder: Path) -> Dataset:
    split = read_sentences(folder / name)
    return Dataset(name, 2, split.x_train, split.y_train, split.x_test, split.y_test, split.vocabulary)


DATASETS: dict[str, Callable[[str, Path], Dataset]] = {
    "digits": _digits,
    "mnist": _pictures,
    "fashion_mnist": _pictures,
    "gtsrb": _pictures,
    "cifar10": _pictures,
    "rotten_tomatoes": _sentences,
}
