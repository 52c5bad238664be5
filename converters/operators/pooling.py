"""Pooling over windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..windows import Windows, flat_pads
from . import operator

__all__ = ["average_pool", "lp_pool", "max_pool"]

_AVERAGE: dict[int, Callable[..., Tensor]] = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
_MAX: dict[int, Callable[..., Tensor]] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_INDEXED: dict[int, Callable[..., tuple[Tensor, Tensor]]] = {
    1: F.max_pool1d_with_indices,
    2: F.max_pool2d_with_indices,
    3: F.max_pool3d_with_indices,
}


@operator("MaxPool")
def max_pool(
    x: Tensor,
    *,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Sequence[int] = (),
    kernel_shape: Sequence[int],
    pads: Sequence[int] = (),
    storage_order: int = 0,
    strides: Sequence[int] = (),
    _outputs: int = 1,
) -> tuple[Tensor, ...]:
    """``max(x)`` over each window, and where it lies in `x` seen as one flat array."""
    windows = Windows.of(x.shape[2:], kernel_shape, strides, dilations, pads, auto_pad, ceil_mode, pooling=True)
    if len(kernel_shape) not in _MAX:
        raise NotImplementedError(f"MaxPool over {len(kernel_shape)} axes, where torch has those over 1 to 3")
    _refuse_empty(windows)
    values = x if x.is_floating_point() else x.double()  # torch pools integers on some devices only
    if _outputs > 1:
        y, flat = _max_with_indices(values, windows)
        return y.to(x.dtype), _in_whole(flat, windows, x.shape[1], storage_order)
    if windows.halved:
        arguments = (windows.kernel, windows.strides, windows.before, windows.dilations, bool(ceil_mode))
        return (_MAX[len(kernel_shape)](values, *arguments).to(x.dtype),)
    padded = _padded(values, windows, torch.finfo(values.dtype).min)
    return (_MAX[len(kernel_shape)](padded, windows.kernel, windows.strides, 0, windows.dilations).to(x.dtype),)


@operator("AveragePool")
def average_pool(
    x: Tensor,
    *,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    dilations: Sequence[int] = (),
    kernel_shape: Sequence[int],
    pads: Sequence[int] = (),
    strides: Sequence[int] = (),
) -> Tensor:
    """``sum(x) / count`` over each window; padding adds nothing, and counts with `count_include_pad` only."""
    windows = Windows.of(x.shape[2:], kernel_shape, strides, dilations, pads, auto_pad, ceil_mode, pooling=True)
    rank = len(kernel_shape)
    if rank in _AVERAGE and windows.kernel == windows.extents and windows.halved and (rank < 3 or windows.within):
        arguments = (windows.kernel, windows.strides, windows.before, bool(ceil_mode), bool(count_include_pad))
        return _AVERAGE[rank](x, *arguments)
    _refuse_empty(windows)
    counts = x.new_ones(())
    for axis in range(rank):
        counts = counts.unsqueeze(-1) * x.new_tensor(windows.inside(axis, bool(count_include_pad)))
    return _unfolded(x, windows).sum(list(range(-rank, 0))) / counts


@operator("LpPool")
def lp_pool(
    x: Tensor,
    *,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Sequence[int] = (),
    kernel_shape: Sequence[int],
    p: float = 2,
    pads: Sequence[int] = (),
    strides: Sequence[int] = (),
) -> Tensor:
    """``sum(|x| ** p) ** (1 / p)`` over each window."""
    windows = Windows.of(x.shape[2:], kernel_shape, strides, dilations, pads, auto_pad, ceil_mode, pooling=True)
    # Unlike the formula taken literally, the norm has a gradient of 0 and not NaN where all values are 0.
    norm: Tensor = torch.linalg.vector_norm(_unfolded(x, windows), p, list(range(-len(kernel_shape), 0)))
    return norm


def _refuse_empty(windows: Windows) -> None:
    if windows.has_empty:
        raise NotImplementedError(f"a window {windows.extents} that holds nothing but padding")


def _padded(x: Tensor, windows: Windows, value: float) -> Tensor:
    return F.pad(x, flat_pads(windows.exact), value=value)


def _unfolded(x: Tensor, windows: Windows) -> Tensor:
    """A view (N, C, windows..., values of a window...) of the input padded with zeros."""
    x = _padded(x, windows, 0.0)
    for axis, (extent, stride, step) in enumerate(
        zip(windows.extents, windows.strides, windows.dilations, strict=True)
    ):
        x = x.unfold(axis + 2, extent, stride)[..., ::step]
    return x


def _max_with_indices(x: Tensor, windows: Windows) -> tuple[Tensor, Tensor]:
    """The largest values, and where they lie among the values of their channel before padding."""
    pool = _INDEXED[len(windows.kernel)]
    padded = _padded(x, windows, torch.finfo(x.dtype).min)
    y, flat = pool(padded, windows.kernel, windows.strides, 0, windows.dilations)
    places = torch.unravel_index(flat, padded.shape[2:])
    return y, torch.stack([place - before for place, before in zip(places, windows.before, strict=True)])


def _in_whole(places: Tensor, windows: Windows, channels: int, storage_order: int) -> Tensor:
    """Coordinates (axes, N, C, ...) as ONNX's index into the whole input; order 1 lets the first axis run fastest."""
    axes = list(range(len(windows.sizes)))
    flat = torch.zeros_like(places[0])
    for axis in reversed(axes) if storage_order else axes:
        flat = flat * windows.sizes[axis] + places[axis]
    planes = torch.arange(places.shape[1] * channels, device=places.device)
    return flat + planes.reshape(-1, channels, *[1] * len(axes)) * prod(windows.sizes)
