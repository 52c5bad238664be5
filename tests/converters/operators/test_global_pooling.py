"""Global pooling, and MaxUnpool."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from onnxray.converters.operators.global_pooling import (
    global_average_pool,
    global_lp_pool,
    global_max_pool,
    max_unpool,
)
from torch import Tensor

Same = Callable[..., tuple[Tensor, ...]]


@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 3, 4, 5), (1, 2, 3, 2, 3)])
@pytest.mark.parametrize("opset", [1, 22])
def test_global_pooling(same: Same, shape: tuple[int, ...], opset: int) -> None:
    x = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    same("GlobalAveragePool", x, opset=opset)
    same("GlobalMaxPool", x, opset=opset)
    same("GlobalLpPool", x, opset=2, p=3)


def test_the_first_norm_has_a_fractional_power() -> None:
    assert global_lp_pool(torch.tensor([[[3.0, 4.0]]]), p=2.0).tolist() == [[[5.0]]]


@pytest.mark.parametrize("pool", [global_average_pool, global_max_pool, global_lp_pool])
def test_gradients(pool: Callable[[Tensor], Tensor]) -> None:
    x = torch.arange(1.0, 13.0, dtype=torch.float64).reshape(1, 2, 3, 2).requires_grad_()
    assert torch.autograd.gradcheck(pool, (x,))


@pytest.mark.parametrize("pool", [global_average_pool, global_max_pool, global_lp_pool])
def test_no_spatial_axes(pool: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(NotImplementedError, match="rank 2"):
        pool(torch.ones(2, 3))


@pytest.mark.parametrize("opset", [9, 11, 22])
def test_max_unpool(same: Same, opset: int) -> None:
    x = np.array([[[[1.0, 2.0], [3.0, 4.0]]]], np.float32)
    places = np.array([[[[5, 7], [8, 11]]]])
    same("MaxUnpool", x, places, opset=opset, kernel_shape=[2, 2], strides=[2, 2])
    same("MaxUnpool", x, places, opset=opset, kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 0, 0])
    same("MaxUnpool", x, places, np.array([1, 1, 4, 4]), opset=opset, kernel_shape=[2, 2], strides=[2, 2])


def test_max_unpool_takes_indices_as_floats_and_passes_the_gradient() -> None:
    x = torch.tensor([[[1.0, 2.0]]], requires_grad=True)
    y = max_unpool(x, torch.tensor([[[1.0, 2.0]]]), (1, 1, 6), kernel_shape=(2,), strides=(2,))
    assert y.tolist() == [[[0.0, 1.0, 2.0, 0.0, 0.0, 0.0]]]
    (gradient,) = torch.autograd.grad((y * torch.arange(6.0)).sum(), x)
    assert gradient.tolist() == [[[1.0, 2.0]]]
