"""How large a mask is: by the area that it covers, or by how strongly it changes pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["MaskNorm", "mask_size"]

MaskNorm = Literal["l1", "l2"]
"""l1 finds small opaque patches; l2 finds faint patterns all over the picture: much area, and little change."""


def mask_size(masks: Tensor, norm: MaskNorm) -> Tensor:
    """The size (R,) of masks (R, 1, H, W) in [0, 1], in fully covered pixels; both are H W for a mask of ones.

    l1 is the sum of the mask, the paper's |m|_1. l2 is its root mean square times the number of pixels: what a mask
    that is as strong everywhere would have for l1.
    """
    if norm == "l1":
        return masks.sum((1, 2, 3))
    pixels = masks.shape[1] * masks.shape[2] * masks.shape[3]
    return (masks.square().mean((1, 2, 3)) + 1e-12).sqrt() * pixels
