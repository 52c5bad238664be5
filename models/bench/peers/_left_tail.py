"""The rule by which Neural Cleanse and its successors say that one class is too small."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import numpy as np

__all__ = ["FLAGGED_ABOVE", "smallest_stands_out"]

FLAGGED_ABOVE = 2.0
_CONSISTENCY = 1.4826


def smallest_stands_out(values: Sequence[float]) -> tuple[int | None, float]:
    """The class with the smallest value, and its anomaly index; an index above 2 is flagged.

    Returns:
        (None, 0) where no value is finite; index 0 where more than half of the values are tied, so that their median
        absolute deviation, which it is measured in, is 0.

    Source: Wang et al. 2019, section IV-B, and the authors' code. This is the rule as published, with one cut for any
    number of classes; on two classes the index is always 0.67.
    """
    finite = np.array([v for v in values if isfinite(v)])
    if not len(finite):
        return None, 0.0
    median = np.median(finite)
    deviation = _CONSISTENCY * np.median(np.abs(finite - median))
    smallest = min((v, c) for c, v in enumerate(values) if isfinite(v))[1]
    return smallest, float(abs(values[smallest] - median) / deviation) if deviation > 0 else 0.0
