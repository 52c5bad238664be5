"""Gather, GatherElements, GatherND and OneHot."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from onnxray.converters.operators.indexing import gather, gather_elements, gather_nd, one_hot

X = np.random.default_rng(0).standard_normal((3, 4, 5), dtype=np.float32)
Same = Callable[..., tuple[torch.Tensor, ...]]


@pytest.mark.parametrize("opset", [11, 13])
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("indices", [2, -1, [0, -3, 2], [[1, 2], [-1, 0]], []])
def test_gather(same: Same, opset: int, axis: int, indices: object) -> None:
    same("Gather", X, np.array(indices, np.int64), opset=opset, axis=axis)


def test_gather_of_the_first_opset(same: Same) -> None:
    same("Gather", X, np.array([2, 0], np.int32), opset=7, axis=1)


def test_gather_elements(same: Same) -> None:
    indices = np.random.default_rng(1).integers(-4, 4, (3, 2, 5))
    same("GatherElements", X, indices, opset=11, axis=1)
    same("GatherElements", X, np.array([[[-1]], [[2]]]), opset=13, axis=0)


@pytest.mark.parametrize(("shape", "batch"), [((2, 2), 0), ((4, 1, 3), 0), ((3, 2, 1), 1), ((3, 4, 1), 2), ((3, 1), 1)])
def test_gather_nd(same: Same, shape: tuple[int, ...], batch: int) -> None:
    indices = np.random.default_rng(1).integers(-3, 3, shape)
    same("GatherND", X, indices, opset=12, batch_dims=batch)


@pytest.mark.parametrize("axis", [-1, 0, 1, 2])
def test_one_hot(same: Same, axis: int) -> None:
    indices = np.array([[0, 3, -1], [-4, -5, 4]])
    same("OneHot", indices, np.array([4]), np.array([2.0, 5.0], np.float32), opset=11, axis=axis)


def test_indices_that_arrive_as_floats() -> None:
    x = torch.from_numpy(X)
    assert torch.equal(gather(x, torch.tensor([1.0, -1.0]), axis=1), x[:, [1, -1]])
    assert torch.equal(gather(x, torch.tensor(1.0)), x[1])
    assert torch.equal(gather_nd(x, torch.tensor([[1.0, 2.0]])), x[1:2, 2])
    assert one_hot(torch.tensor([1.0]), 2.0, torch.tensor([0, 1])).tolist() == [[0, 1]]


def test_gradients() -> None:
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: gather(v, torch.tensor([[1, -1], [1, 0]]), axis=1), x)
    assert torch.autograd.gradcheck(lambda v: gather_elements(v, torch.tensor([[1, -1], [1, 0]]), axis=1), x)
    assert torch.autograd.gradcheck(lambda v: gather_nd(v, torch.tensor([[1], [1], [0]]), batch_dims=1), x)
