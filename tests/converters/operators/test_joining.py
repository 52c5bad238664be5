"""Concat and Split."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from onnxray.converters.operators import find
from onnxray.converters.operators.joining import even

X = np.random.default_rng(0).standard_normal((2, 7, 4), dtype=np.float32)
Same = Callable[..., tuple[torch.Tensor, ...]]


@pytest.mark.parametrize(("opset", "axis"), [(7, 1), (11, -2), (13, 1)])
def test_concat(same: Same, opset: int, axis: int) -> None:
    same("Concat", X, X[:, :3], opset=opset, axis=axis)


def test_the_first_concat_has_a_default_axis() -> None:
    concat = find("", "Concat", 3)
    assert concat is not None
    assert concat.function(torch.ones(2, 3), torch.ones(2, 1)).shape == (2, 4)


@pytest.mark.parametrize("opset", [7, 11])
def test_split_with_attributes(same: Same, opset: int) -> None:
    same("Split", X, opset=opset, outputs=3, axis=1, split=[1, 4, 2])
    same("Split", X, opset=opset, outputs=2, axis=2)


def test_split(same: Same) -> None:
    same("Split", X, np.array([1, 4, 2]), opset=13, outputs=3, axis=-2)
    same("Split", X, opset=13, outputs=2)
    same("Split", X, np.array([7, 0]), opset=13, outputs=2, axis=1)


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_split_that_does_not_come_out_even(same: Same, parts: int) -> None:
    same("Split", X, opset=18, outputs=parts, axis=1, num_outputs=parts)


@pytest.mark.parametrize("given", [(None, (1, 6)), ((1, 6), None)])
def test_the_first_split_reads_an_input_or_an_attribute(given: tuple[tuple[int, int] | None, ...]) -> None:
    split = find("", "Split", 1)
    assert split is not None
    parts = split.function(torch.from_numpy(X), given[0], axis=1, split=given[1], _outputs=2)
    assert [part.shape[1] for part in parts] == [1, 6]


def test_even_sizes_add_up() -> None:
    for size in range(9):
        for parts in range(1, 9):
            assert (sum(even(size, parts)), len(even(size, parts))) == (size, parts)
