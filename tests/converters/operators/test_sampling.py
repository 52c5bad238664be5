"""GridSample and AffineGrid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from onnxray.converters.operators.sampling import grid_sample

RNG = np.random.default_rng(0)
X = RNG.standard_normal((2, 3, 5, 6), dtype=np.float32)
GRID = RNG.uniform(-1.4, 1.4, (2, 4, 3, 2)).astype(np.float32)
Same = Callable[..., tuple[torch.Tensor, ...]]


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["linear", "nearest", "cubic"])
@pytest.mark.parametrize("align", [0, 1])
def test_grid_sample(same: Same, padding: str, mode: str, align: int) -> None:
    old = {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode)
    same("GridSample", X, GRID, opset=16, mode=old, padding_mode=padding, align_corners=align, rtol=1e-3)
    same("GridSample", X, GRID, opset=20, mode=mode, padding_mode=padding, align_corners=align, rtol=1e-3)


@pytest.mark.parametrize("mode", ["linear", "nearest"])
def test_grid_sample_of_a_volume(same: Same, mode: str) -> None:
    volume = RNG.standard_normal((1, 2, 3, 4, 5), dtype=np.float32)
    grid = RNG.uniform(-1.2, 1.2, (1, 2, 3, 2, 3)).astype(np.float32)
    same("GridSample", volume, grid, opset=20, mode=mode, rtol=1e-3)


def test_cubic_sampling_of_a_volume_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="volumes"):
        grid_sample(torch.ones(1, 1, 2, 2, 2), torch.zeros(1, 1, 1, 1, 3), mode="cubic")


@pytest.mark.parametrize("align", [0, 1])
def test_affine_grid(same: Same, align: int) -> None:
    theta = RNG.standard_normal((2, 2, 3), dtype=np.float32)
    same("AffineGrid", theta, np.array([2, 1, 4, 5]), opset=20, align_corners=align)


def test_gradients() -> None:
    x = torch.randn(1, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    grid = (torch.rand(1, 2, 2, 2, dtype=torch.float64) - 0.5).requires_grad_()
    assert torch.autograd.gradcheck(lambda v, g: grid_sample(v, g, mode="linear"), (x, grid))
