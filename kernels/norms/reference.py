"""The norms as one would write them in torch: what every kernel is compared with."""

from __future__ import annotations

import torch
from torch import Tensor

from .outputs import accumulation_type, empty_norms, new_outputs

__all__ = ["reference_norms"]


def reference_norms(x: Tensor, moments: bool, argmax: bool) -> tuple[Tensor, Tensor]:
    """The operator of ``operator.py``, in several passes over memory."""
    if not x.numel():
        return empty_norms(x, moments, argmax)
    values, index = new_outputs(x, moments, argmax)
    rows = x.flatten(2).to(accumulation_type(x.dtype)) if x.dim() > 2 else x[..., None].to(values.dtype)
    for out, order in zip(values, (1, 2, torch.inf), strict=False):
        torch.linalg.vector_norm(rows, order, dim=2, out=out)
    if moments:
        values[3], values[4], values[5] = rows.mean(2), rows.square().mean(2), rows.var(2, correction=0)
    return values, rows.abs().argmax(2) if argmax else index
