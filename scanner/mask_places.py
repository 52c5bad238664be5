"""Where masks lie: the places in a picture that they cover."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["places"]

COVERED = 0.2  # of the mask's largest value: what is below hardly changes the picture
MOST = 8


def places(masks: Sequence[NDArray[np.float32]], around: float) -> list[NDArray[np.float32]]:
    """The separate places (H, W) that masks cover together, 1 inside and 0 outside, most covered first; eight at most.

    A smallest mask is often only a part of the true trigger, whose rest is no trigger of its own; so a place reaches
    further than the mask does.

    Args:
        masks: (H, W) in [0, 1].
        around: how much further, as a share of the picture's shorter side; two pixels at least.
    """
    from scipy.ndimage import label, maximum_filter

    reach = max(2, round(around * min(masks[0].shape)))
    covered = np.max([mask * (mask >= COVERED * mask.max()) for mask in masks], axis=0)
    labels, count = label(maximum_filter(covered, 2 * reach + 1) > 0, np.ones((3, 3)))
    found = [np.asarray(labels == i, np.float32) for i in range(1, count + 1)]
    return sorted(found, key=lambda place: -float((place * covered).sum()))[:MOST]
