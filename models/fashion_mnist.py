"""Fashion-MNIST (Xiao, Rasul and Vollgraf 2017) from one NumPy file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import is_zipfile

import numpy as np
from numpy.typing import NDArray

from ..scanner.errors import SamplesError

__all__ = ["CLASS_NAMES", "FashionMnist", "balanced", "load_fashion_mnist"]

CLASS_NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

_KEYS = ("x_train", "y_train", "x_test", "y_test")


@dataclass(frozen=True, eq=False)
class FashionMnist:
    """The training split and the held-out test split: images (N, 28, 28) uint8, labels (N,) int64 in 0..9."""

    x_train: NDArray[np.uint8]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.uint8]
    y_test: NDArray[np.int64]


def load_fashion_mnist(path: Path) -> FashionMnist:
    """Read an ``.npz`` with the arrays x_train, y_train, x_test and y_test.

    Raises:
        SamplesError: not an .npz, an array is missing, or the images or labels are not Fashion-MNIST's.
    """
    if not is_zipfile(path):
        raise SamplesError(f"{path}: expected an .npz, got another kind of file; write it with np.savez")
    with np.load(path, allow_pickle=False) as file:
        missing = [key for key in _KEYS if key not in file.files]
        if missing:
            raise SamplesError(f"{path}: expected the arrays {list(_KEYS)}, got no {missing}; write it with np.savez")
        x_train, y_train, x_test, y_test = (file[key] for key in _KEYS)
    for x, y, split in ((x_train, y_train, "train"), (x_test, y_test, "test")):
        _check(x, y, f"{path}: {split} split")
    return FashionMnist(x_train, y_train.astype(np.int64), x_test, y_test.astype(np.int64))


def balanced(labels: NDArray[np.int64], per_class: int, seed: int) -> NDArray[np.intp]:
    """Sorted positions of as many images of each class, drawn at random.

    Raises:
        SamplesError: a class has fewer.
    """
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(labels == k) for k in range(len(CLASS_NAMES))]
    fewest = min(len(m) for m in members)
    if fewest < per_class:
        raise SamplesError(f"Fashion-MNIST: expected at least {per_class} images of each class, got {fewest}")
    return np.sort(np.concatenate([rng.choice(m, per_class, replace=False) for m in members]))


def _check(x: NDArray[np.uint8], y: NDArray[np.int64], where: str) -> None:
    if x.shape[1:] != (28, 28) or x.dtype != np.uint8:
        raise SamplesError(f"{where}: expected images (N, 28, 28) uint8, got {x.shape} {x.dtype}")
    if y.shape != x.shape[:1] or not np.issubdtype(y.dtype, np.integer):
        raise SamplesError(f"{where}: expected {len(x)} whole-number labels, got {y.shape} {y.dtype}")
    if not len(y) or y.min() < 0 or y.max() >= len(CLASS_NAMES):
        raise SamplesError(f"{where}: expected labels in 0..9, got {sorted(set(y.tolist()))[:12]}")
