"""What the attacks on training data do, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from onnxray.models.attacks import BadNets
from onnxray.scanner.errors import OptionError

CHECKER = BadNets(row=2, column=1, pattern=((255, 0), (0, 255), (7, 7)))

pictures = st.one_of(
    arrays(np.uint8, st.tuples(st.integers(0, 5), st.integers(5, 9), st.integers(3, 9))),
    arrays(np.uint8, st.tuples(st.integers(0, 5), st.integers(5, 9), st.integers(3, 9), st.just(3))),
)


@given(pictures)
def test_stamp_changes_the_patch_and_nothing_else(images: NDArray[np.uint8]) -> None:
    before = images.copy()
    stamped = CHECKER.stamp(images)
    np.testing.assert_array_equal(images, before)
    for row, values in enumerate(CHECKER.pattern):
        for column, value in enumerate(values):
            assert (stamped[:, 2 + row, 1 + column] == value).all()
    stamped[:, 2:5, 1:3] = images[:, 2:5, 1:3]
    np.testing.assert_array_equal(stamped, images)


@pytest.mark.parametrize(("row", "column"), [(-1, 0), (0, -1), (6, 0), (0, 7)])
def test_a_patch_outside_the_picture_is_refused(row: int, column: int) -> None:
    with pytest.raises(OptionError, match="expected a patch inside 8 x 8 pixels, got rows"):
        BadNets(row, column, CHECKER.pattern).stamp(np.zeros((1, 8, 8), np.uint8))


@given(
    labels=arrays(np.int64, st.integers(0, 60), elements=st.integers(0, 3)),
    rate=st.floats(0, 1),
    target=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_poison_relabels_the_asked_share_of_the_other_classes(
    labels: NDArray[np.int64], rate: float, target: int, seed: int
) -> None:
    images = np.arange(len(labels) * 64).astype(np.uint8).reshape(-1, 8, 8)
    asked, possible = round(rate * len(labels)), int((labels != target).sum())
    if asked > possible:
        with pytest.raises(OptionError, match=f"for target {target}"):
            CHECKER.poison(images, labels, rate, target, np.random.default_rng(seed))
        return
    x, y = CHECKER.poison(images, labels, rate, target, np.random.default_rng(seed))
    relabelled = y != labels
    assert relabelled.sum() == asked
    assert (y[relabelled] == target).all()
    np.testing.assert_array_equal(x[relabelled], CHECKER.stamp(images[relabelled]))
    np.testing.assert_array_equal(x[~relabelled], images[~relabelled])


@pytest.mark.parametrize("rate", [-0.1, 1.5])
def test_a_rate_outside_its_range_is_refused(rate: float) -> None:
    with pytest.raises(OptionError, match=r"expected a poison rate in 0\.\.0\.5 for target 1, got"):
        CHECKER.poison(np.zeros((20, 8, 8), np.uint8), np.arange(20) % 2, rate, 1, np.random.default_rng(0))
