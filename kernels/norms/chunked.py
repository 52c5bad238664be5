"""The norms in plain torch, a cache-sized piece at a time: where nothing can be compiled."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from .outputs import accumulation_type, new_outputs

__all__ = ["chunked_norms"]

CPU_BYTES, DEVICE_BYTES = 2 << 20, 256 << 20  # a piece: small enough for a cache; few enough launches


def chunked_norms(x: Tensor, moments: bool, argmax: bool) -> tuple[Tensor, Tensor]:
    """The operator of ``operator.py`` for a tensor that is not empty, on any device, of any strides."""
    values, index = new_outputs(x, moments, argmax)
    x = x[..., None] if x.dim() == 2 else x  # torch takes no axes for all axes
    buffer = x.new_empty(0, dtype=accumulation_type(x.dtype))
    for rows, columns in _pieces(x):
        piece = x[rows, columns]
        buffer = buffer if buffer.shape == piece.shape else torch.empty_like(piece, dtype=buffer.dtype)
        _fill(piece, buffer, values[:, rows, columns])
        if argmax:  # the buffer holds squares, or squared deviations
            index[rows, columns] = torch.abs(piece).flatten(2).argmax(2)
    return values, index


def _fill(piece: Tensor, buffer: Tensor, out: Tensor) -> None:
    """Write the values of one piece, through a buffer of its shape: fresh memory costs more than the arithmetic."""
    axes = tuple(range(2, piece.dim()))
    positions = piece[0, 0].numel()
    buffer.copy_(piece).abs_()
    out[0], out[2] = buffer.sum(axes), buffer.amax(axes)
    square = buffer.mul_(buffer).sum(axes)
    out[1] = square.sqrt()
    if len(out) > 3:
        out[3], out[4] = piece.mean(axes, dtype=buffer.dtype), square / positions
        buffer.copy_(piece).sub_(out[3][(..., *[None] * len(axes))])
        out[5] = buffer.mul_(buffer).sum(axes) / positions


def _pieces(x: Tensor) -> Iterator[tuple[slice, slice]]:
    """Slices of samples and channels that cover the tensor, each within the budget or a single row."""
    samples, channels = x.shape[:2]
    budget = CPU_BYTES if x.device.type == "cpu" else DEVICE_BYTES
    rows = max(1, budget // (x[0, 0].numel() * accumulation_type(x.dtype).itemsize))
    # Channels side by side in memory stay together where they somehow fit: half of them cost as much to read as all.
    wide = channels if x.stride(1) == 1 and channels <= 4 * rows else min(channels, rows)
    tall = max(1, rows // channels)
    for sample in range(0, samples, tall):
        for channel in range(0, channels, wide):
            yield slice(sample, sample + tall), slice(channel, channel + wide)
