"""Scatter, ScatterElements, ScatterND and TensorScatter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from onnxray.converters.operators.scattering import scatter_elements, scatter_nd, tensor_scatter

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 4, 5), dtype=np.float32)
REDUCTIONS = [(11, None), (16, "add"), (16, "mul"), (18, "max"), (18, "min")]
Same = Callable[..., tuple[torch.Tensor, ...]]


@pytest.mark.parametrize(("opset", "reduction"), REDUCTIONS)
def test_scatter_elements(same: Same, opset: int, reduction: str | None) -> None:
    indices = np.array([[[0], [-1]], [[2], [-4]]])
    updates = RNG.standard_normal(indices.shape, dtype=np.float32)
    extra = {"reduction": reduction} if reduction else {}
    same("ScatterElements", X, indices, updates, opset=opset, axis=1, **extra)
    if reduction:  # the same place twice
        same("ScatterElements", X, np.zeros_like(indices), updates, opset=opset, axis=-2, **extra)


def test_scatter_of_opset_9(same: Same) -> None:
    same("Scatter", X, np.array([[[1, 0, 2]]]), np.ones((1, 1, 3), np.float32), opset=9, axis=0)


@pytest.mark.parametrize(("opset", "reduction"), REDUCTIONS)
def test_scatter_nd(same: Same, opset: int, reduction: str | None) -> None:
    extra = {"reduction": reduction} if reduction else {}
    same(
        "ScatterND", X, np.array([[0, -1], [2, 1]]), RNG.standard_normal((2, 5), dtype=np.float32), opset=opset, **extra
    )
    rows = np.array([[[1], [1 if reduction else -1]]])  # the same row twice, where that has an answer
    same("ScatterND", X, rows, RNG.standard_normal((1, 2, 4, 5), dtype=np.float32), opset=opset, **extra)


def test_tensor_scatter_goes_around_the_end() -> None:
    cache, update = torch.zeros(2, 4, 1), torch.tensor([[[1.0], [2.0]], [[3.0], [4.0]]])
    starts = torch.tensor([3, 1])
    assert tensor_scatter(cache, update, starts, mode="circular")[..., 0].tolist() == [[2, 0, 0, 1], [0, 3, 4, 0]]
    assert tensor_scatter(cache, update)[..., 0].tolist() == [[1, 2, 0, 0], [3, 4, 0, 0]]


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "max"])
def test_gradients(reduction: str) -> None:
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    updates = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    rows = torch.tensor([[1], [-1]])
    assert torch.autograd.gradcheck(lambda v, u: scatter_nd(v, rows, u, reduction=reduction), (x, updates))
    places = rows.expand(2, 3)
    assert torch.autograd.gradcheck(lambda v, u: scatter_elements(v, places, u, reduction=reduction), (x, updates))
