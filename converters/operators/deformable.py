"""Deformable convolution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..windows import Windows
from . import operator

__all__ = ["deform_conv"]


@operator("DeformConv", since=19)
def deform_conv(
    x: Tensor,
    w: Tensor,
    offset: Tensor,
    b: Tensor | None = None,
    mask: Tensor | None = None,
    *,
    dilations: Sequence[int] = (),
    group: int = 1,
    kernel_shape: Sequence[int] = (),
    offset_group: int = 1,
    pads: Sequence[int] = (),
    strides: Sequence[int] = (),
) -> Tensor:
    """Conv that reads its input at ``stride * i + dilation * k - pad + offset``, bilinear, times `mask`.

    Source: Zhu et al. 2019, Deformable ConvNets v2.
    """
    if x.ndim != 4:
        raise NotImplementedError(f"DeformConv over {x.ndim - 2} axes; only images are supported")
    batch, kernel = len(x), w.shape[2] * w.shape[3]
    windows = Windows.of(x.shape[2:], w.shape[2:], strides, dilations, pads)
    rows, columns = windows.counts
    shifts = offset.reshape(batch * offset_group, kernel, 2, rows, columns).movedim(2, -1)
    values = _sampled(x.reshape(batch * offset_group, -1, *x.shape[2:]), _grid(windows, x) + shifts)
    if mask is not None:
        values = values * mask.reshape(batch * offset_group, 1, kernel, rows, columns)
    patches = values.reshape(batch, group, -1, rows * columns)  # channels of a group, times the places of the kernel
    y = (w.reshape(group, w.shape[0] // group, -1) @ patches).reshape(batch, w.shape[0], rows, columns)
    return y if b is None else y + b.reshape(-1, 1, 1)


def _grid(windows: Windows, x: Tensor) -> Tensor:
    """Where an undeformed kernel reads: (kernel, rows, columns, 2), each place as its row and its column."""
    axes = zip(windows.counts, windows.kernel, windows.strides, windows.dilations, windows.before, strict=True)
    ys, xs = (torch.arange(k)[:, None] * d + torch.arange(n) * s - before for n, k, s, d, before in axes)
    shape = (*windows.kernel, *windows.counts)
    places = ys[:, None, :, None].expand(shape), xs[None, :, None, :].expand(shape)
    return torch.stack(places, -1).flatten(0, 1).to(x)


def _sampled(x: Tensor, places: Tensor) -> Tensor:
    """Bilinear values of x (B, C, H, W), zero outside, at places (B, K, rows, columns, 2); (B, C, K, rows, columns)."""
    sizes = places.new_tensor(x.shape[2:])
    relative = ((2 * places + 1) / sizes - 1).flip(-1)  # torch counts from -1 to 1 over the pixels' outer edges
    values = F.grid_sample(x, relative.flatten(1, 2), padding_mode="zeros", align_corners=False)
    return values.reshape(*x.shape[:2], *places.shape[1:4])
