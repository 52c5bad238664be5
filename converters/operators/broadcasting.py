"""How operators before opset 7 line up their second input with their first."""

from __future__ import annotations

from torch import Tensor

__all__ = ["aligned"]


def aligned(a: Tensor, b: Tensor, axis: int | None) -> Tensor:
    """Give b trailing axes of size 1, so that its first axis meets `axis` of a; without one, their last axes meet."""
    if axis is None or b.dim() == 0:
        return b
    trailing = a.dim() - axis % max(a.dim(), 1) - b.dim()
    return b.reshape(*b.shape, *[1] * trailing)
