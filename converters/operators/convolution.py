"""Convolution and transposed convolution."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..windows import Windows, automatic, flat_pads, paired
from . import operator

__all__ = ["conv", "conv_transpose"]

_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


@operator("Conv")
def conv(
    x: Tensor,
    w: Tensor,
    b: Tensor | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] = (),
    group: int = 1,
    kernel_shape: Sequence[int] = (),
    pads: Sequence[int] = (),
    strides: Sequence[int] = (),
) -> Tensor:
    """``y[o] = sum over c, k of w[o, c, k] * x[c, stride * i + dilation * k - pad] + b[o]``; the kernel is `w`'s."""
    rank = _rank(x)
    windows = Windows.of(x.shape[2:], w.shape[2:], strides, dilations, pads, auto_pad)
    padding = windows.before
    if not windows.symmetric:
        x, padding = F.pad(x, flat_pads(windows.pads)), (0,) * rank
    y: Tensor = _CONV[rank](x, w, b, windows.strides, padding, windows.dilations, group)
    return y


@operator("ConvTranspose")
def conv_transpose(
    x: Tensor,
    w: Tensor,
    b: Tensor | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] = (),
    group: int = 1,
    kernel_shape: Sequence[int] = (),
    output_padding: Sequence[int] = (),
    output_shape: Sequence[int] = (),
    pads: Sequence[int] = (),
    strides: Sequence[int] = (),
) -> Tensor:
    """``y[stride * i + dilation * k - pad] += w[c, o, k] * x[c, i]``, plus `b`: the gradient of Conv."""
    rank = _rank(x)
    strides, dilations = tuple(strides) or (1,) * rank, tuple(dilations) or (1,) * rank
    extra = tuple(output_padding) or (0,) * rank
    extents = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], dilations, strict=True)]
    full = [(n - 1) * s + e for n, s, e in zip(x.shape[2:], strides, extents, strict=True)]
    pairs = paired(() if auto_pad == "VALID" else pads, rank)
    if output_shape or auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        # Some exporters name the sizes of batch and channels too.
        sizes = output_shape[-rank:] or [n * s for n, s in zip(x.shape[2:], strides, strict=True)]
        totals = [max(n + e - size, 0) for n, e, size in zip(full, extra, sizes, strict=True)]
        pairs = [automatic(total, auto_pad) for total in totals]
    if output_shape:  # zeros fill up what is missing
        cuts = [(before, n - size - before) for n, size, (before, _) in zip(full, sizes, pairs, strict=True)]
    else:
        cuts = [(before, after - e) for (before, after), e in zip(pairs, extra, strict=True)]
    before, missing = tuple(c for c, _ in cuts), tuple(c - d for c, d in cuts)
    transposed = _TRANSPOSED[rank]
    steps = zip(missing, strides, dilations, strict=True)
    if all(0 <= m < max(s, d) for m, s, d in steps):
        y: Tensor = transposed(x, w, b, strides, before, missing, group, dilations)
        return y
    y = transposed(x, w, None, strides, 0, 0, group, dilations)
    y = F.pad(y, [-side for side in flat_pads(cuts)])
    return y if b is None else y + b.reshape(-1, *[1] * rank)


def _rank(x: Tensor) -> int:
    rank = x.ndim - 2
    if rank not in _CONV:
        raise NotImplementedError(f"a convolution over {rank} axes, where torch has those over 1 to 3")
    return rank
