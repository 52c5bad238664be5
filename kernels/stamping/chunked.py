"""Stamping in plain torch operations, a piece at a time that stays in a CPU's caches.

A picture is one row of S = C * H * W numbers in the order in which the result lies in memory, so that every operation
runs along memory whatever the layout.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

__all__ = ["chunked_gradient", "chunked_stamp"]

PIECE = 1 << 19  # numbers: 2 MB of float32


def chunked_stamp(images: Tensor, masks: Tensor, patterns: Tensor, index: Tensor | None, channels_last: bool) -> Tensor:
    """The stamped images (T, N, C, H, W); all of one type, and no gradient."""
    mask, pattern = _sides(masks, patterns, channels_last)
    pictures = _readable(images, index, channels_last)
    count = images.shape[-4] if index is None else index.shape[1]
    stamped = images.new_empty(len(masks), count, pattern.shape[1])
    for which, some in _pieces(*stamped.shape):
        out, m, p = stamped[which, some], mask[which, None], pattern[which, None]
        if index is not None and pictures.dim() == 2:
            torch.index_select(pictures, 0, index[which, some].flatten(), out=out.view(-1, out.shape[2]))
            out.lerp_(p, m)
        else:
            torch.lerp(_read(pictures, index, which, some, channels_last).view(-1, *out.shape[1:]), p, m, out=out)
    return _pictures(stamped, patterns, channels_last)


def chunked_gradient(
    gradient: Tensor, images: Tensor, masks: Tensor, patterns: Tensor, index: Tensor | None, channels_last: bool
) -> tuple[Tensor, Tensor]:
    """Gradients of masks and patterns from that of the stamped images, of which each piece is read once.

    float16 and bfloat16 are added up in float32.
    """
    mask, pattern = _sides(masks, patterns, channels_last)
    pattern = pattern.float() if pattern.dtype in (torch.float16, torch.bfloat16) else pattern
    given, pictures = _rows(gradient, channels_last), _readable(images, index, channels_last)
    product, total = torch.zeros_like(pattern), torch.zeros_like(pattern)
    for which, some in _pieces(*given.shape):
        g = given[which, some].to(pattern.dtype)
        x = _read(pictures, index, which, some, channels_last).view(-1, *g.shape[1:]).to(g.dtype)
        product[which] += torch.sub(pattern[which, None], x, out=None if index is None else x).mul_(g).sum(1)
        total[which] += g.sum(1)
    of_mask = _pictures(product, patterns, channels_last).sum(1, keepdim=True)
    return of_mask.to(masks.dtype), _pictures(total.mul_(mask), patterns, channels_last).to(patterns.dtype)


def _rows(pictures: Tensor, channels_last: bool) -> Tensor:
    """(..., C, H, W) as rows (..., S); a view where they lie so."""
    return (pictures.movedim(-3, -1) if channels_last else pictures).flatten(-3)


def _pictures(rows: Tensor, like: Tensor, channels_last: bool) -> Tensor:
    """Rows (..., S) as (..., C, H, W) of the size of ``like``, without a copy."""
    channels, height, width = like.shape[1:]
    if channels_last:
        return rows.view(*rows.shape[:-1], height, width, channels).movedim(-1, -3)
    return rows.view(*rows.shape[:-1], channels, height, width)


def _sides(masks: Tensor, patterns: Tensor, channels_last: bool) -> tuple[Tensor, Tensor]:
    """Masks, once for each channel, and patterns as rows (T, S): a broadcast axis would break every loop in pieces."""
    return _rows(masks.expand_as(patterns), channels_last), _rows(patterns, channels_last)


def _readable(images: Tensor, index: Tensor | None, channels_last: bool) -> Tensor:
    """The images as rows; or as they are where that takes a copy, which only those that are chosen should pay."""
    one = images[:1].movedim(-3, -1) if channels_last else images[:1]
    return images if index is not None and not one.is_contiguous() else _rows(images, channels_last)


def _read(pictures: Tensor, index: Tensor | None, which: slice, some: slice, channels_last: bool) -> Tensor:
    """A piece of what ``_readable`` made, as rows."""
    if index is None:
        return pictures[which, some] if pictures.dim() == 3 else pictures[None, some]
    chosen = pictures.index_select(0, index[which, some].flatten())
    return chosen if chosen.dim() == 2 else _rows(chosen, channels_last)


def _pieces(triggers: int, count: int, size: int) -> Iterator[tuple[slice, slice]]:
    """Triggers and pictures in pieces of ``PIECE`` numbers: many triggers, or some of one trigger's pictures."""
    if not triggers * count * size:
        return
    together = max(1, PIECE // (count * size))
    some = count if count * size <= PIECE else max(1, PIECE // size)
    for trigger in range(0, triggers, together):
        for start in range(0, count, some):
            yield slice(trigger, trigger + together), slice(start, start + some)
