"""Resampling of one axis after another: which input elements make an output element, and with what weights.

Coordinates are taken in float32, as onnxruntime does: at a tie the last bit decides which neighbour is the nearest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Axis", "Kernel", "resample_axis", "sources"]

Reals = NDArray[np.float32]
_ONE, _HALF = np.float32(1), np.float32(0.5)


@dataclass(frozen=True)
class Kernel:
    """How values between elements are made; the fields are the attributes of ONNX's Resize."""

    mode: str = "nearest"
    coordinates: str = "half_pixel"
    rounding: str = "round_prefer_floor"
    cubic_a: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False


@dataclass(frozen=True)
class Axis:
    """One axis before and after.

    Attributes:
        size: number of elements before.
        target: number of elements after.
        scale: target / size, before it was rounded.
        start: first coordinate of the region, from 0 to 1; only for tf_crop_and_resize.
        end: last coordinate of the region.
    """

    size: int
    target: int
    scale: float
    start: float = 0.0
    end: float = 1.0

    @property
    def unchanged(self) -> bool:
        """Whether it is kept as it is; so onnxruntime has it even where a region is given."""
        return self.size == self.target and self.scale == 1


def resample_axis(x: Tensor, along: int, axis: Axis, kernel: Kernel, extrapolation: float) -> Tensor:
    """Resample one axis; differentiable in x."""
    indices, weights, outside = _tensors(axis, kernel, x.device, x.dtype)
    before, after = x.shape[:along], x.shape[along + 1 :]
    trailing = [1] * len(after)
    taken = x.index_select(along, indices)
    if kernel.mode != "nearest":
        taken = taken.reshape(*before, *weights.shape, *after)
        taken = (taken * weights.reshape(*weights.shape, *trailing)).sum(along + 1)
    return taken if outside is None else taken.masked_fill(outside.reshape(-1, *trailing), extrapolation)


@lru_cache(maxsize=256)
def _tensors(
    axis: Axis, kernel: Kernel, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor | None]:
    """What `_taps` gives, on a device; kept, so that a forward pass neither computes nor sends it again."""
    indices, weights, outside = _taps(axis, kernel)
    with torch.inference_mode(False):  # or the first caller's mode would stick to them
        return (
            torch.from_numpy(indices.reshape(-1)).to(device),
            torch.from_numpy(weights).to(device, dtype),
            torch.from_numpy(outside).to(device) if outside.any() else None,
        )


def _taps(axis: Axis, kernel: Kernel) -> tuple[NDArray[np.int64], Reals, NDArray[np.bool_]]:
    """(target, taps) indices and weights, and which of the targets lie outside the region that can be read."""
    at = _coordinates(axis, kernel)
    crops = kernel.coordinates == "tf_crop_and_resize"
    outside = ((at < 0) | (at > axis.size - 1)) & crops
    if kernel.mode == "nearest":
        indices = sources(axis, kernel)[:, None]
        return indices, np.ones(indices.shape, np.float32), outside
    shrink = np.float32(min(axis.scale, 1)) if kernel.antialias else _ONE
    reach = (1 if kernel.mode == "linear" else 2) / float(shrink)
    indices = (np.floor(at - reach) + 1)[:, None] + np.arange(ceil(2 * reach) + 1, dtype=np.float32)
    weights = _weights(np.abs((indices - at[:, None]) * shrink), kernel)
    if kernel.exclude_outside:
        weights[(indices < 0) | (indices >= axis.size)] = 0
    if kernel.exclude_outside or kernel.antialias:
        weights /= weights.sum(1, keepdims=True)
    used = weights.any(0)  # the last tap is of use only to some scales of an antialiased kernel
    return np.clip(indices, 0, axis.size - 1).astype(np.int64)[:, used], weights[:, used], outside


def _weights(distance: Reals, kernel: Kernel) -> Reals:
    """Weights by distance in output pixels: a triangle, or Keys' cubic convolution with parameter a."""
    if kernel.mode == "linear":
        triangle: Reals = np.maximum(_ONE - distance, 0)
        return triangle
    d, a = distance, np.float32(kernel.cubic_a)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    weights: Reals = np.where(d <= 1, near, np.where(d < 2, far, np.float32(0)))
    return weights


def sources(axis: Axis, kernel: Kernel) -> NDArray[np.int64]:
    """(target,) index of the nearest element for each output element."""
    at = _coordinates(axis, kernel)
    match kernel.rounding:
        case "round_prefer_floor":
            rounded = np.floor(at) + (at - np.floor(at) > _HALF)
        case "round_prefer_ceil":
            rounded = np.floor(at) + (at - np.floor(at) >= _HALF)
        case "floor":
            rounded = np.floor(at)
        case "ceil":
            rounded = np.ceil(at)
        case "simple":  # up to opset 10
            rounded = np.ceil(at) if axis.scale < 1 else np.floor(at)
        case other:
            raise NotImplementedError(f"nearest_mode {other!r}")
    indices: NDArray[np.int64] = np.clip(rounded, 0, axis.size - 1).astype(np.int64)
    return indices


def _coordinates(axis: Axis, kernel: Kernel) -> Reals:
    """(target,) where each output element lies between the input's elements, the first of which is at 0."""
    x = np.arange(axis.target, dtype=np.float32)
    scale, last = np.float32(axis.scale), np.float32(axis.size - 1)
    halves = (x + _HALF) / scale
    match kernel.coordinates:
        case "half_pixel":
            return halves - _HALF
        case "pytorch_half_pixel":
            return halves - _HALF if axis.target > 1 else np.zeros_like(x)
        case "half_pixel_symmetric":
            missing = _ONE - np.float32(axis.target) / (scale * np.float32(axis.size))
            return np.float32(axis.size) / 2 * missing + halves - _HALF
        case "align_corners":  # between whole numbers of elements, as in onnxruntime; ONNX's text leaves it open
            return x * last / np.float32(axis.target - 1) if axis.target > 1 else np.zeros_like(x)
        case "asymmetric":
            return x / scale
        case "tf_half_pixel_for_nn":
            return halves
        case "tf_crop_and_resize":
            start, end = np.float32(axis.start), np.float32(axis.end)
            if axis.target == 1:
                return np.full_like(x, _HALF * (start + end) * last)
            return start * last + x * (end - start) * last / np.float32(axis.target - 1)
        case other:
            raise NotImplementedError(f"coordinate_transformation_mode {other!r}")
