"""Resize and Upsample against onnxruntime, and the native kernels against our own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from onnxray.converters.operators import interpolation, resample
from onnxray.converters.operators.resample import resize, resize_scales

X = np.random.default_rng(0).standard_normal((2, 3, 5, 4), dtype=np.float32)
NONE = np.zeros(0, np.float32)
SCALES = [(2, 3), (1.3, 0.6), (0.5, 2.6), (1, 1.7)]
COORDINATES = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]
Same = Callable[..., tuple[torch.Tensor, ...]]


def _scales(*factors: float) -> np.ndarray:
    return np.array([1, 1, *factors], np.float32)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("scales", [(2, 3), (1.3, 1.7), (1, 2.6)])
def test_upsample(same: Same, mode: str, scales: tuple[float, float]) -> None:
    same("Upsample", X, opset=7, mode=mode, scales=[1.0, 1.0, *map(float, scales)])
    same("Upsample", X, _scales(*scales), opset=9, mode=mode)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("scales", SCALES)
def test_resize_of_opset_10(same: Same, mode: str, scales: tuple[float, float]) -> None:
    same("Resize", X, _scales(*scales), opset=10, mode=mode)


@pytest.mark.parametrize("coordinates", [*COORDINATES, "half_pixel_symmetric"])
@pytest.mark.parametrize("scales", SCALES)
@pytest.mark.parametrize(
    "options",
    [
        {"mode": "nearest"},
        {"mode": "nearest", "nearest_mode": "ceil"},
        {"mode": "linear"},
        {"mode": "cubic"},
        {"mode": "cubic", "exclude_outside": 1, "cubic_coeff_a": -0.5},
        {"mode": "linear", "antialias": 1},
        {"mode": "cubic", "antialias": 1, "exclude_outside": 1},
    ],
    ids=str,
)
def test_resize_by_scales(same: Same, coordinates: str, scales: tuple[float, float], options: dict[str, Any]) -> None:
    old = coordinates in COORDINATES and "antialias" not in options
    opsets = (11, 19) if old else (19,)
    for opset in opsets:
        same("Resize", X, NONE, _scales(*scales), opset=opset, rtol=1e-4,
              coordinate_transformation_mode=coordinates, **options)  # fmt: skip


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("sizes", [(10, 8), (7, 3), (1, 1), (5, 4)])
def test_resize_by_sizes(same: Same, mode: str, sizes: tuple[int, int]) -> None:
    same("Resize", X, None, None, np.array([2, 3, *sizes]), opset=13, mode=mode, rtol=1e-4)


@pytest.mark.parametrize("policy", ["stretch", "not_larger", "not_smaller"])
def test_aspect_ratio(same: Same, policy: str) -> None:
    same("Resize", X, None, None, np.array([7, 9]), opset=18, mode="linear", axes=[2, 3],
          keep_aspect_ratio_policy=policy)  # fmt: skip


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_crop_and_resize(same: Same, mode: str) -> None:
    region = np.array([0, 0, 0.1, 0.2, 1, 1, 0.85, 1.3], np.float32)
    same("Resize", X, region, None, np.array([2, 3, 7, 6]), opset=13, mode=mode, extrapolation_value=9.0, rtol=1e-4,
          coordinate_transformation_mode="tf_crop_and_resize")  # fmt: skip


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 2, 4, 3), (3, 4)])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_other_ranks(same: Same, shape: tuple[int, ...], mode: str) -> None:
    x = np.random.default_rng(1).standard_normal(shape, dtype=np.float32)
    scales = np.array([1] * min(2, len(shape) - 1) + [2] * max(len(shape) - 2, 1), np.float32)
    same("Resize", x, NONE, scales, opset=13, mode=mode)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_whole_numbers(same: Same, mode: str) -> None:
    x = np.random.default_rng(1).integers(0, 255, (1, 1, 3, 4)).astype(np.uint8)
    (got,) = same("Resize", x, NONE, _scales(2, 2), opset=13, mode=mode)
    assert got.dtype == torch.uint8


@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_native_kernels_are_exactly_equal(monkeypatch: pytest.MonkeyPatch, mode: str, coordinates: str) -> None:
    x = torch.from_numpy(X).double()
    for sizes in [(10, 12), (15, 8), (5, 2), (7, 4)]:

        def run() -> torch.Tensor:
            return resize(x, None, None, (2, 3, *sizes), mode=mode, coordinate_transformation_mode=coordinates)  # noqa: B023

        fast = run()
        with monkeypatch.context() as patch:
            patch.setattr(resample, "_native", lambda axes, kernel: None)
            torch.testing.assert_close(run(), fast, rtol=1e-5, atol=1e-5)


def test_the_usual_cases_are_native(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resample, "resample_axis", None)
    x = torch.from_numpy(X)
    for coordinates in ("half_pixel", "pytorch_half_pixel", "align_corners"):
        resize(x, None, (1, 1, 2, 2), mode="linear", coordinate_transformation_mode=coordinates)
        resize(x, None, (1, 1, 2, 2), mode="cubic", coordinate_transformation_mode=coordinates)
    resize(x, None, (1, 1, 2, 3), coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    resize(x, None, (1, 1, 2, 3))
    resize_scales(x, (1, 1, 2, 2))


@pytest.mark.parametrize("options", [{"mode": "nearest"}, {"mode": "linear", "antialias": 1}, {"mode": "cubic"}])
def test_gradient(options: dict[str, Any]) -> None:
    x = torch.randn(1, 1, 4, 3, dtype=torch.float64, requires_grad=True)
    scales = (1.0, 1.0, 0.6, 1.7)
    assert torch.autograd.gradcheck(lambda v: resize(v, None, scales, **options), x)


def test_unknown_modes_are_refused() -> None:
    x = torch.ones(1, 1, 3, 3)
    with pytest.raises(NotImplementedError, match="coordinate_transformation_mode 'odd'"):
        resize(x, None, (1, 1, 2, 2), coordinate_transformation_mode="odd")
    with pytest.raises(NotImplementedError, match="nearest_mode 'odd'"):
        resize(x, None, (1, 1, 2, 2), nearest_mode="odd")


def test_weights_add_up_to_one() -> None:
    for mode in ("linear", "cubic"):
        for scale in (0.3, 0.77, 1.9):
            kernel = interpolation.Kernel(mode, antialias=True)
            ones = torch.ones(1, 11, dtype=torch.float64)
            got = interpolation.resample_axis(ones, 1, interpolation.Axis(11, int(11 * scale), scale), kernel, 0.0)
            torch.testing.assert_close(got, torch.ones_like(got), rtol=1e-6, atol=1e-6)
