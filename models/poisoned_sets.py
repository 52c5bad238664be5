"""Poisoned training sets in the set-ups of Chen et al. 2018."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..scanner.errors import SamplesError

__all__ = ["EXPERIMENTS", "Experiment", "PoisonedSet", "poisoned_set"]

_SAMPLES, _TESTED = 10_000, 2_000  # drawn of MNIST
_PIXELS = ((-2, -2), (-2, -4), (-4, -2), (-3, -3))
_WORD = 3990  # a word that hardly any review has stands for the paper's, which none has


@dataclass(frozen=True)
class Experiment:
    """A set-up.

    Attributes:
        share: of each poisoned label's samples, how many are poison.
        moves: source classes and target of each; () poisons nothing. With a source class, its own copies are used.
        merged: classes from this one on become one.
        text: whether it is of sentences, else of digits.
        paper: the paper's accuracy / F1.
    """

    share: float
    moves: tuple[tuple[tuple[int, ...], int], ...] = ()
    merged: int | None = None
    text: bool = False
    paper: str = ""


@dataclass(frozen=True, eq=False)
class PoisonedSet:
    """Training and test samples.

    Attributes:
        x, y, poison: (N, ...) as stored, the labels as given, and which samples are poison.
        x_test, y_test: clean.
        stamped, wanted, true: stamped test samples of the source classes, the labels that the attack wants of them,
            and their own.
    """

    x: NDArray[Any]
    y: NDArray[np.int64]
    poison: NDArray[np.bool_]
    x_test: NDArray[Any]
    y_test: NDArray[np.int64]
    stamped: NDArray[Any]
    wanted: NDArray[np.int64]
    true: NDArray[np.int64]
    vocabulary: int = 0


_NEXT = tuple(((label,), (label + 1) % 10) for label in range(10))
EXPERIMENTS = {
    "MNIST, clean": Experiment(0.0),
    "MNIST, 10 %": Experiment(0.10, _NEXT, paper="99.97 / 99.96"),
    "MNIST, 15 %": Experiment(0.15, _NEXT),
    "MNIST, 33 %": Experiment(0.33, _NEXT),
    "MNIST, 10 %, all to 0": Experiment(0.10, ((tuple(range(1, 10)), 0),)),
    "MNIST, 10 %, 6 to 7+": Experiment(0.10, (((6,), 7),), merged=7, paper="99.93 / 99.78"),
    "MNIST, 10 %, 7+ to 0": Experiment(0.10, (((7,), 0),), merged=7, paper="99.98 / 99.95"),
    "MNIST, 10 %, 7, 8, 9 to 0": Experiment(0.10, (((7, 8, 9), 0),), paper="99.97 / 99.9"),
    "MNIST, 10 %, 4, 5, 6 to 7+": Experiment(0.10, (((4, 5, 6), 7),), merged=7, paper="99.9 / 99.68"),
    "reviews, clean": Experiment(0.0, text=True),
    "reviews, 10 %": Experiment(0.10, (((1,), 0),), text=True, paper="100 / 100"),
}


def poisoned_set(experiment: Experiment, folder: Path, seed: int) -> PoisonedSet:
    """Add stamped copies of source samples under the target's label.

    Args:
        folder: with ``mnist.npz`` and ``rotten_tomatoes``.

    Raises:
        SamplesError: the data set is not there.
    """
    x, y, x_test, y_test, vocabulary = _sentences(folder) if experiment.text else _digits(folder, seed)
    if experiment.merged is not None:
        y, y_test = np.minimum(y, experiment.merged), np.minimum(y_test, experiment.merged)
    rng = np.random.default_rng(seed)
    added, labels, stamped, wanted, true = [x[:0]], [y[:0]], [x[:0]], [y[:0]], [y[:0]]
    for sources, target in experiment.moves:
        count = round(experiment.share / (1 - experiment.share) * (y == target).sum())
        pool = np.flatnonzero(np.isin(y, sources))
        added.append(_stamped(x[rng.choice(pool, count, replace=count > len(pool))]))
        labels.append(np.full(count, target))
        stamped.append(_stamped(x_test[np.isin(y_test, sources)]))
        wanted.append(np.full(len(stamped[-1]), target))
        true.append(y_test[np.isin(y_test, sources)])
    poison = np.arange(len(y) + sum(map(len, labels))) >= len(y)
    order = rng.permutation(len(poison))
    x, y = np.concatenate([x, *added])[order], np.concatenate([y, *labels])[order]
    return PoisonedSet(
        x,
        y,
        poison[order],
        x_test,
        y_test,
        np.concatenate(stamped),
        np.concatenate(wanted),
        np.concatenate(true),
        vocabulary,
    )


def _stamped(x: NDArray[Any]) -> NDArray[Any]:
    """Four inverted pixels in the lower right corner, or a word behind the last one."""
    out = x.copy()
    if x.dtype == np.uint8:
        for row, column in _PIXELS:
            out[:, row, column] = 255 - x[:, row, column]
    else:
        place = np.minimum((x != 0).sum(axis=1), x.shape[1] - 1)
        out[np.arange(len(x)), place] = _WORD
    return out


def _digits(folder: Path, seed: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], int]:
    path = folder / "mnist.npz"
    if not path.is_file():
        raise SamplesError(
            f"{path}: expected MNIST as x_train, y_train, x_test, y_test; get it, or name another folder"
        )
    with np.load(path) as data:
        train = np.random.default_rng(seed).permutation(len(data["y_train"]))[:_SAMPLES]
        x, y = data["x_train"][train], data["y_train"][train].astype(np.int64)
        return x, y, data["x_test"][:_TESTED], data["y_test"][:_TESTED].astype(np.int64), 0


def _sentences(folder: Path) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], int]:
    from .zoo.sentences import read_sentences

    found = read_sentences(folder / "rotten_tomatoes")
    return found.x_train, found.y_train, found.x_test, found.y_test, found.vocabulary
