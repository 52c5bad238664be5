"""How faint a wave over whole pictures can be that still makes a network answer a class; only answers are needed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["AMPLITUDES", "amplitudes", "needed", "waves"]

AMPLITUDES = (0.1, 0.2, 0.4)
"""Of the sines, in units of the pictures' range; doubled from one to the next."""
PHASES = 4
REACHED = 0.7  # of the pictures that were of another class
BEYOND = 2.0  # powers of two beyond the strongest amplitude, for a wave that turns no picture at all
_PASS = 2**20  # numbers in the pictures that are put to the network at a time

Pictures = NDArray[np.float32]
Classify = Callable[[Pictures], NDArray[np.int64]]


def waves(height: int, width: int, cycles: int) -> Pictures:
    """(W, height, width) every plane wave of up to ``cycles`` whole cycles along each axis, in four phases.

    Waves are told apart by direction: (i, j) and (-i, -j) are the same one, so that i is never negative.
    """
    y, x = np.arange(height)[:, None] / height, np.arange(width)[None] / width
    both = [(i, j) for i in range(cycles + 1) for j in range(-cycles, cycles + 1) if i or j > 0]
    turns = [i * y + j * x + phase / PHASES for i, j in both for phase in range(PHASES)]
    return np.sin(2 * np.pi * np.stack(turns)).astype(np.float32)


def amplitudes(
    classify: Classify,
    images: Pictures,
    classes: int,
    cycles: int,
    keep_going: Callable[[float], bool] = lambda fraction: True,
) -> NDArray[np.float64] | None:
    """Of each wave the amplitude at which it turns most of the other classes' pictures into a class.

    Args:
        classify: pictures (n, C, H, W) in [0, 1] to classes (n,).
        images: (N, C, H, W) in [0, 1]; a wave is added to all channels alike, and what leaves the range is cut off.
        classes: K.
        cycles: most along each axis.
        keep_going: told the fraction done; False ends it.

    Returns:
        (W, K) in units of the range, of `waves`; above the strongest that was tried where it does not do it, by how far
        it falls short (see `needed`); NaN for a class that every picture is of without a wave. None where
        ``keep_going`` ended it.
    """
    every, before = waves(images.shape[2], images.shape[3], cycles), classify(images)
    counted = before[:, None] != np.arange(classes)  # (N, K)
    shares = np.zeros((len(AMPLITUDES), len(every), classes))
    at_once = max(1, _PASS // images.size)
    for start in range(0, len(every), at_once):
        if not keep_going(start / len(every)):
            return None
        part = every[start : start + at_once, None, None]
        for number, amplitude in enumerate(AMPLITUDES):
            shares[number, start : start + at_once] = _shares(classify, images + amplitude * part, counted)
    return np.where(counted.any(0), needed(shares), np.nan)


def needed(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """(...) the amplitude at which a share of `REACHED` is turned, from the shares (A, ...) at each of `AMPLITUDES`.

    Between two amplitudes the share is taken to be linear in the logarithm; none is turned at half of the faintest. Of
    what does not reach it, the strongest amplitude is raised by up to `BEYOND` powers of two, the fewer are turned the
    more: so waves that nearly do it and those that do nothing are told apart.
    """
    levels = np.log2(AMPLITUDES)
    powers = levels[-1] + BEYOND * (1 - shares[-1] / REACHED)
    for number in reversed(range(len(levels))):
        below = shares[number - 1] if number else np.zeros_like(shares[0])
        rise = np.maximum(shares[number] - below, 1e-9)
        way = np.clip((REACHED - below) / rise, 0, 1)  # from half the amplitude, 0, to it, 1
        powers = np.where(shares[number] >= REACHED, levels[number] - 1 + way, powers)
    found: NDArray[np.float64] = 2.0**powers
    return found


def _shares(classify: Classify, waved: Pictures, counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(w, K) share of the other classes' pictures that each of w waves turns into the class; ``waved`` (w, N, ...)."""
    answers = classify(np.clip(waved, 0, 1).reshape(-1, *waved.shape[2:])).reshape(waved.shape[:2])
    hits = (answers[:, :, None] == np.arange(counted.shape[1])) & counted
    shares: NDArray[np.float64] = hits.sum(1) / np.maximum(counted.sum(0), 1)
    return shares
