"""TopK, NonZero, Compress and Unique."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from onnxray.converters.operators.selecting import compress, top_k, unique

X = np.random.default_rng(0).integers(0, 4, (3, 6, 2)).astype(np.float32)  # many equal values
Same = Callable[..., tuple[torch.Tensor, ...]]


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("largest", [0, 1])
def test_top_k_takes_the_first_of_equal_values(same: Same, axis: int, largest: int) -> None:
    same("TopK", X, np.array([2]), opset=11, outputs=2, axis=axis, largest=largest)


def test_top_k_of_old_opsets(same: Same) -> None:
    same("TopK", X, opset=9, outputs=2, axis=1, k=3)
    same("TopK", X, np.array([3]), opset=10, outputs=2, axis=1)
    same("TopK", X, np.array([0]), opset=11, outputs=2, axis=1)


def test_non_zero(same: Same) -> None:
    same("NonZero", X, opset=9)
    same("NonZero", np.zeros((2, 0), np.float32))
    same("NonZero", np.float32(3))


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_compress(same: Same, axis: int | None) -> None:
    condition = np.array([False, True]) if axis != 1 else np.array([True, False, False, True])
    same("Compress", X, condition, opset=11, **({} if axis is None else {"axis": axis}))


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("sort", [0, 1])
def test_unique(same: Same, axis: int | None, sort: int) -> None:
    same("Unique", X, opset=11, outputs=4, sorted=sort, **({} if axis is None else {"axis": axis}))


def test_gradients() -> None:
    x = torch.tensor([[3.0, 1.0, 2.0], [0.5, 3.0, 4.0]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: top_k(v, torch.tensor([2]))[0], x)
    assert torch.autograd.gradcheck(lambda v: compress(v, torch.tensor([True, False, True]), axis=1), x)
    different = x.detach()[:, 1:].requires_grad_()
    assert torch.autograd.gradcheck(lambda v: unique(v, sorted=0)[0], different)
