"""From triggers to one size for each class, and how far the smallest is below the rest."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np
from numpy.typing import NDArray

from .triggers import Trigger

__all__ = ["class_sizes", "size_score"]


def class_sizes(triggers: Sequence[Trigger], classes: int) -> NDArray[np.float64]:
    """(K,) geometric mean over the seeds of each class's mask as a share of the picture; NaN where none was found.

    Not the smallest: the minimum of several tries has longer lower tails than the null that it is compared with.
    """
    logs = [[log(max(t.size, 1e-12)) for t in triggers if t.target == c] for c in range(classes)]
    return np.array([np.exp(np.mean(of_class)) if of_class else np.nan for of_class in logs])


def size_score(sizes: NDArray[np.float64], controls: Sequence[int] = ()) -> float:
    """How far the smallest mask is below the median, in [0, 1]: 0 at the median, 1 for a mask of nothing.

    The median is that of the ``controls``, or of all where there are none.
    """
    usual = sizes[list(controls)] if len(controls) else sizes
    usual = usual[np.isfinite(usual)]
    return max(0.0, float(1 - np.nanmin(sizes) / np.median(usual))) if len(usual) > 1 else 0.0
