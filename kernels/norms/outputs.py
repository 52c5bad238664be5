"""What every implementation of the norms fills: a stack of values, and places."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["accumulation_type", "empty_norms", "new_outputs"]


def accumulation_type(dtype: torch.dtype) -> torch.dtype:
    """The type in which elements are added up and results are given: float32, float64 for float64."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def new_outputs(x: Tensor, moments: bool, argmax: bool) -> tuple[Tensor, Tensor]:
    """Unfilled results for an (N, C, *spatial) tensor, on its device.

    Returns:
        (3 or 6, N, C): l1, l2, l-inf and, with moments, mean, second moment and variance; and (N, C) int64, or (0, 0)
        without argmax.
    """
    shape = tuple(x.shape[:2])
    values = x.new_empty((6 if moments else 3, *shape), dtype=accumulation_type(x.dtype))
    return values, x.new_empty(shape if argmax else (0, 0), dtype=torch.int64)


def empty_norms(x: Tensor, moments: bool, argmax: bool) -> tuple[Tensor, Tensor]:
    """Results for a tensor without elements: norms 0, moments NaN (as the mean of nothing), place -1."""
    values, index = new_outputs(x, moments, argmax)
    values[:3], values[3:] = 0, torch.nan
    return values, index.fill_(-1)
