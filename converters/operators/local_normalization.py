"""Normalisation by norms and by neighbours, and Dropout, which does nothing outside training."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from . import Number, number, operator


@operator("LRN")
def local_response_normalization(
    x: Tensor, *, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0
) -> Tensor:
    """``x / (bias + alpha * m) ** beta`` with m the mean square of `size` neighbouring channels."""
    # torch's own puts the additional channel of an even size on the other side.
    squares = F.pad(x.square().reshape(len(x), 1, x.shape[1], -1), (0, 0, (size - 1) // 2, size // 2))
    mean = F.avg_pool2d(squares, (size, 1), 1).reshape(x.shape)
    return x / (bias + alpha * mean) ** beta


@operator("LpNormalization")
def lp_normalization(x: Tensor, *, axis: int = -1, p: int = 2) -> Tensor:
    """``x`` divided by its norm along the axis; zeros stay."""
    norm = torch.linalg.vector_norm(x, p, axis, keepdim=True)
    return x / torch.where(norm == 0, 1, norm)


@operator("Dropout", since=12)
def dropout(
    x: Tensor, ratio: Number | None = None, training_mode: Number | None = None, *, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """The input, and a mask that is true throughout."""
    if training_mode is not None and number(training_mode) and (ratio is None or number(ratio)):
        raise NotImplementedError("Dropout in training mode; export the model for inference")
    return x, _ones(x, torch.bool)


@operator("Dropout", since=10)
def dropout_10(x: Tensor, *, ratio: float = 0.5) -> tuple[Tensor, Tensor]:
    """The same; the ratio is for training only."""
    return x, _ones(x, torch.bool)


@operator("Dropout", since=7)
def dropout_7(x: Tensor, *, ratio: float = 0.5) -> tuple[Tensor, Tensor]:
    """The same with a mask of the input's type."""
    return x, _ones(x, x.dtype)


@operator("Dropout")
def dropout_1(x: Tensor, *, ratio: float = 0.5, is_test: int = 0) -> tuple[Tensor, Tensor]:
    """The same; told by `is_test`."""
    if not is_test and ratio:
        raise NotImplementedError("Dropout in training mode; export the model for inference")
    return x, _ones(x, x.dtype)


def _ones(x: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask of x's shape that takes no memory; hardly any model reads it."""
    return torch.ones((), dtype=dtype, device=x.device).expand(x.shape)
