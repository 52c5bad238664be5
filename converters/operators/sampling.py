"""Operators that read an image at computed places."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from . import Ints, ints, operator

_MODES = {"linear": "bilinear", "cubic": "bicubic"}


@operator("GridSample", since=16)
def grid_sample(
    x: Tensor, grid: Tensor, *, align_corners: int = 0, mode: str = "bilinear", padding_mode: str = "zeros"
) -> Tensor:
    """The image at each place of a grid, whose coordinates run from -1 to 1."""
    mode = _MODES.get(mode, mode)
    if x.ndim == 5 and mode == "bicubic":
        raise NotImplementedError("cubic sampling of volumes")
    return F.grid_sample(x, grid, mode=mode, padding_mode=padding_mode, align_corners=bool(align_corners))


@operator("AffineGrid", since=20)
def affine_grid(theta: Tensor, size: Ints, *, align_corners: int = 0) -> Tensor:
    """The grid of an image or volume of a size (N, C, ...) after an affine transform."""
    return F.affine_grid(theta, ints(size), align_corners=bool(align_corners))
