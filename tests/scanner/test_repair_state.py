"""Going part of the way from old weights to new ones."""

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray
from onnxray.scanner.repair_state import between


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.float16, ml_dtypes.bfloat16])
def test_floats_of_every_width_go_a_share_of_the_way(kind: type) -> None:
    old: NDArray[np.float64] = np.array([1.0, -2.0, 0.0])
    new: NDArray[np.float64] = np.array([2.0, 2.0, 0.0])
    part = between(old.astype(kind), new.astype(kind), 0.25)
    assert part.dtype == np.dtype(kind)
    assert part.astype(np.float64) == pytest.approx([1.25, -1.0, 0.0])


def test_what_counts_is_taken_whole() -> None:
    old, new = np.array([1, 2], np.int64), np.array([3, 2], np.int64)
    assert np.array_equal(between(old, new, 0.25), new)
