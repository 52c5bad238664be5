"""Losses, for models that were exported with them."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from . import operator

_NOTHING = -100  # no class has this number


@operator("NegativeLogLikelihoodLoss", since=12)
def negative_log_likelihood(
    x: Tensor, target: Tensor, weight: Tensor | None = None, *, ignore_index: int = _NOTHING, reduction: str = "mean"
) -> Tensor:
    """Minus the score of the right class, for scores (N, C, ...) and classes (N, ...); the weight has no gradient."""
    if reduction not in ("none", "mean", "sum"):
        raise NotImplementedError(f"reduction {reduction!r}; ONNX has none, mean and sum")
    x = x.contiguous()  # torch's backward pass asks for it
    return F.nll_loss(x, target.long(), weight, ignore_index=ignore_index, reduction=reduction)


@operator("SoftmaxCrossEntropyLoss", since=12)
def cross_entropy(
    scores: Tensor,
    labels: Tensor,
    weights: Tensor | None = None,
    *,
    ignore_index: int = _NOTHING,
    reduction: str = "mean",
) -> tuple[Tensor, Tensor]:
    """The negative log-likelihood of the scores' softmax along axis 1, and that softmax's logarithm."""
    shares = torch.log_softmax(scores, 1)
    loss = negative_log_likelihood(shares, labels, weights, ignore_index=ignore_index, reduction=reduction)
    return loss, shares
