"""Resize and Upsample: torch's own kernels where they are exactly equal, one axis after another otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import floor

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from . import Floats, Ints, floats, ints, operator
from .interpolation import Axis, Kernel, resample_axis, sources

_TORCH = {("linear", 3): "linear", ("linear", 4): "bilinear", ("linear", 5): "trilinear", ("cubic", 4): "bicubic"}


@operator("Upsample", since=7)
def upsample_attribute(x: Tensor, *, scales: Sequence[float], mode: str = "nearest") -> Tensor:
    """The input on a finer grid, every axis by its scale."""
    return resize_scales(x, scales, mode=mode)


@operator("Upsample", since=9)
@operator("Resize", since=10)
def resize_scales(x: Tensor, scales: Floats, *, mode: str = "nearest") -> Tensor:
    """The input on another grid, every axis by its scale; the first elements of both grids coincide."""
    kernel = Kernel(mode, coordinates="asymmetric", rounding="simple")
    return _resample(x, _scaled(x.shape, floats(scales)), kernel)


@operator("Resize", since=11)
def resize(
    x: Tensor,
    roi: Floats | None = None,
    scales: Floats | None = None,
    sizes: Ints | None = None,
    *,
    mode: str = "nearest",
    coordinate_transformation_mode: str = "half_pixel",
    nearest_mode: str = "round_prefer_floor",
    cubic_coeff_a: float = -0.75,
    exclude_outside: int = 0,
    extrapolation_value: float = 0.0,
    antialias: int = 0,
    axes: Sequence[int] | None = None,
    keep_aspect_ratio_policy: str = "stretch",
) -> Tensor:
    """The input on another grid, given by scales or by sizes; the attributes say what lies between its elements."""
    kernel = Kernel(
        "linear" if mode == "bilinear" else mode,
        coordinate_transformation_mode, nearest_mode, cubic_coeff_a, bool(exclude_outside), bool(antialias),
    )  # fmt: skip
    along = [axis % x.ndim for axis in axes] if axes is not None else list(range(x.ndim))
    shape = [x.shape[axis] for axis in along]
    if factors := [] if scales is None else floats(scales):
        resized = _scaled(shape, factors)
    else:
        resized = _sized(shape, ints(() if sizes is None else sizes), keep_aspect_ratio_policy)
    if coordinate_transformation_mode == "tf_crop_and_resize":
        resized = _cropped(resized, floats(() if roi is None else roi))
    plan = [Axis(size, size, 1.0) for size in x.shape]
    for position, axis in zip(along, resized, strict=True):
        plan[position] = axis
    return _resample(x, plan, kernel, extrapolation_value)


def _scaled(shape: Sequence[int], scales: Sequence[float]) -> list[Axis]:
    """Axes by their scales; the product is rounded to float32 before it is cut off, as onnxruntime does."""
    pairs = zip(shape, scales, strict=True)
    return [Axis(size, floor(np.float32(scale) * np.float32(size)), scale) for size, scale in pairs]


def _sized(shape: Sequence[int], sizes: Sequence[int], policy: str) -> list[Axis]:
    pairs = list(zip(shape, sizes, strict=True))
    if policy == "stretch":
        return [Axis(size, target, float(np.float32(target) / np.float32(size))) for size, target in pairs]
    limit = {"not_larger": min, "not_smaller": max}[policy]
    scale = limit(target / size for size, target in pairs)
    return [Axis(size, floor(scale * size + 0.5), scale) for size, _ in pairs]


def _cropped(axes: Sequence[Axis], roi: Sequence[float]) -> list[Axis]:
    """The axes with their region: all starts, then all ends."""
    ends = roi[len(axes) :]
    return [Axis(a.size, a.target, a.scale, *region) for a, *region in zip(axes, roi, ends, strict=False)]


def _resample(x: Tensor, axes: Sequence[Axis], kernel: Kernel, extrapolation: float = 0.0) -> Tensor:
    if all(axis.size == axis.target for axis in axes):
        return x  # whatever the scales and regions: onnxruntime copies
    if not (x.is_floating_point() or kernel.mode == "nearest"):
        return _whole(_resample(x.float(), axes, kernel, extrapolation), x.dtype, kernel.antialias)
    if x.is_floating_point() and (native := _native(tuple(axes), kernel)):
        align = kernel.coordinates == "align_corners" if kernel.mode != "nearest" else None
        return F.interpolate(x, [axis.target for axis in axes[2:]], mode=native, align_corners=align)
    for along, axis in enumerate(axes):
        if not (axis.unchanged or (kernel.antialias and axis.size == axis.target)):
            x = resample_axis(x, along, axis, kernel, extrapolation)
    return x


def _whole(x: Tensor, dtype: torch.dtype, rounded: bool) -> Tensor:
    """Whole numbers as onnxruntime makes them: cut off, or rounded behind an antialiased kernel."""
    limits = torch.iinfo(dtype)
    return (x.add(0.5).floor() if rounded else x).clamp(limits.min, limits.max).to(dtype)


@lru_cache(maxsize=256)
def _native(axes: tuple[Axis, ...], kernel: Kernel) -> str | None:
    """The mode of F.interpolate that is exactly this; None if there is none."""
    if not 3 <= len(axes) <= 5 or not (axes[0].unchanged and axes[1].unchanged):
        return None
    if kernel.mode == "nearest":
        return "nearest-exact" if all(_repeats(axis, kernel) for axis in axes[2:]) else None
    plain = not (kernel.antialias or kernel.exclude_outside) and kernel.cubic_a == -0.75
    exact = all(axis.target == axis.size * axis.scale or kernel.coordinates == "align_corners" for axis in axes[2:])
    known = kernel.coordinates in ("half_pixel", "half_pixel_symmetric", "align_corners")
    known |= kernel.coordinates == "pytorch_half_pixel" and all(axis.target > 1 for axis in axes[2:])
    return _TORCH.get((kernel.mode, len(axes))) if plain and exact and known else None


def _repeats(axis: Axis, kernel: Kernel) -> bool:
    """Whether each element is repeated a whole number of times."""
    times, rest = divmod(axis.target, max(axis.size, 1))
    return rest == 0 and times > 0 and bool((sources(axis, kernel) == np.arange(axis.target) // times).all())
