"""RoiAlign, MaxRoiPool and NonMaxSuppression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from onnxray.converters.operators.regions import non_max_suppression, roi_align

RNG = np.random.default_rng(0)
X = RNG.standard_normal((2, 3, 8, 9), dtype=np.float32)
IMAGES = np.array([0, 1, 1, 0, 1])
# Inside, uneven, over the borders, smaller than a pixel, inside out.
ROIS = np.array([[0, 0, 5, 5], [1, 2, 3.3, 7], [-3, -2, 20, 20], [4, 4, 4.2, 4.2], [6, 6, 3, 3]], np.float32)
Same = Callable[..., tuple[torch.Tensor, ...]]


@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("samples", [0, 1, 3])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_roi_align(same: Same, mode: str, samples: int, scale: float) -> None:
    options: dict[str, Any] = {
        "mode": mode, "sampling_ratio": samples, "spatial_scale": scale, "output_height": 3, "output_width": 2,
    }  # fmt: skip
    same("RoiAlign", X, ROIS, IMAGES, opset=10, rtol=1e-4, **options)
    for shift in ("half_pixel", "output_half_pixel"):
        same("RoiAlign", X, ROIS, IMAGES, opset=16, rtol=1e-4, coordinate_transformation_mode=shift, **options)


def test_no_regions() -> None:
    none = roi_align(torch.from_numpy(X), torch.zeros(0, 4), torch.zeros(0), output_height=2)
    assert none.shape == (0, 3, 2, 1)


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.3])
def test_max_roi_pool(same: Same, scale: float) -> None:
    rois = np.concatenate([IMAGES[:, None].astype(np.float32), ROIS], 1)
    same("MaxRoiPool", X, rois, opset=7, pooled_shape=[3, 2], spatial_scale=scale)


@pytest.mark.parametrize("centred", [0, 1])
@pytest.mark.parametrize("opset", [10, 11])
def test_non_max_suppression(same: Same, centred: int, opset: int) -> None:
    rng = np.random.default_rng(1)
    boxes, scores = rng.random((2, 12, 4), np.float32), rng.random((2, 3, 12), np.float32)
    scores[..., 3] = scores[..., 5]  # equal scores: the first box wins
    limits = np.array([4]), np.array([0.2], np.float32), np.array([0.3], np.float32)
    same("NonMaxSuppression", boxes, scores, *limits, opset=opset, center_point_box=centred)
    same("NonMaxSuppression", boxes, scores, limits[0], opset=opset, center_point_box=centred)


def test_no_boxes_are_asked_for() -> None:
    assert non_max_suppression(torch.ones(1, 2, 4), torch.ones(1, 1, 2)).shape == (0, 3)


def test_gradient() -> None:
    x = torch.randn(1, 1, 5, 5, dtype=torch.float64, requires_grad=True)
    rois = torch.tensor([[0.7, 0.6, 3.3, 3.9]], dtype=torch.float64, requires_grad=True)
    index = torch.tensor([0])
    for mode in ("avg", "max"):
        pool = lambda v, r: roi_align(v, r, index, output_height=2, output_width=2, sampling_ratio=2, mode=mode)  # noqa: B023, E731
        assert torch.autograd.gradcheck(pool, (x, rois))
