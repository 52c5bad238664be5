"""A matrix of how much what is made up as one class looks like another, and what stands out in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .outliers import anomaly_index

__all__ = ["likeliest_pair", "paper_metric", "sources", "unlikeliness"]

Matrix = NDArray[np.float64]
"""(K, K) logarithms of the answer for class j to what was made up as class c; NaN where c is j, and for other rows."""


def unlikeliness(matrix: Matrix) -> NDArray[np.float64]:
    """(K,) how unlikely each class seems in what was made up as the others, the mean over them, in nats; 0 or more."""
    known = np.isfinite(matrix)
    total = -np.where(known, matrix, 0.0).sum(0)
    means: NDArray[np.float64] = np.where(known.any(0), total / np.maximum(1, known.sum(0)), np.nan)
    return means


def sources(matrix: Matrix) -> list[int | None]:
    """For each class j the class c that looks most like it; None where nothing is known."""
    filled = np.where(np.isfinite(matrix), matrix, -np.inf)
    return [int(filled[:, j].argmax()) if np.isfinite(filled[:, j]).any() else None for j in range(len(matrix))]


def likeliest_pair(matrix: Matrix) -> tuple[int, int, float]:
    """Source and target of the largest entry, and its anomaly index among all; that is NaN where it is undefined."""
    filled = np.where(np.isfinite(matrix), matrix, -np.inf)
    source, target = np.unravel_index(int(filled.argmax()), matrix.shape)
    return int(source), int(target), float(anomaly_index(-matrix.ravel())[filled.argmax()])


def paper_metric(matrix: Matrix) -> float | None:
    """How far the largest column mean of the probabilities lies above their third quartile, in quartile distances.

    None where the quartiles are tied, or fewer than four columns are known.

    Source: Fu et al. 2023, "FreeEagle", section 5: quartiles are taken at whole positions of the sorted means.
    """
    known = np.isfinite(matrix)
    means = np.where(known, np.exp(matrix), 0.0).sum(0) / np.maximum(1, known.sum(0))
    ranked = np.sort(means[known.any(0)])
    if len(ranked) < 4:
        return None
    low, high = ranked[len(ranked) // 4], ranked[3 * len(ranked) // 4]
    return float((ranked[-1] - high) / (high - low)) if high > low else None
