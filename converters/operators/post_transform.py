"""What the classifiers and regressors of ai.onnx.ml do to their raw scores, as onnxruntime does it."""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor

__all__ = ["TRANSFORMS", "class_labels", "transformed", "two_scores"]

TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
_ZERO = 1e-7  # a score nearer to zero counts as none


def transformed(scores: Tensor, transform: str) -> Tensor:
    """Apply a post_transform to scores (N, C).

    Raises:
        NotImplementedError: its name is not one of `TRANSFORMS`.
    """
    if transform not in TRANSFORMS:
        raise NotImplementedError(f"the post_transform {transform}")
    if transform == "SOFTMAX":
        return torch.softmax(scores, -1)
    if transform == "LOGISTIC":
        return torch.sigmoid(scores)
    if transform == "SOFTMAX_ZERO":
        return _softmax_zero(scores)
    return _probit(scores) if transform == "PROBIT" else scores


def two_scores(score: Tensor, transform: str, probability: bool) -> Tensor:
    """The scores (N, 2) of both classes from the second one's, (N, 1), alone.

    Args:
        score: the second class's.
        transform: the post_transform; of all, only LOGISTIC does anything here.
        probability: whether the first is one minus the second, rather than its negative; LOGISTIC makes no difference.

    Raises:
        NotImplementedError: PROBIT, for which onnxruntime leaves the second score undefined.
    """
    if transform == "PROBIT":
        raise NotImplementedError("the post_transform PROBIT of a single score")
    if transform == "LOGISTIC":
        return torch.sigmoid(torch.cat([-score, score], 1))
    return torch.cat([1 - score if probability else -score, score], 1)


def class_labels(numbers: tuple[int, ...], names: tuple[str, ...]) -> Tensor:
    """The labels that stand for the classes: the file's numbers, or 0, 1, ... where they are text."""
    return torch.tensor(numbers or range(len(names)), dtype=torch.int64)


def _softmax_zero(scores: Tensor) -> Tensor:
    """Softmax that leaves a score of zero at zero."""
    largest = scores.detach().amax(-1, keepdim=True)
    some = scores.abs() > _ZERO
    parts = torch.where(some, torch.exp(scores - largest), scores * torch.exp(-largest))
    total = parts.sum(-1, keepdim=True)
    return parts / torch.where(total == 0, torch.ones_like(total), total)


def _probit(scores: Tensor) -> Tensor:
    """The normal distribution's quantile, by Winitzki's approximation of the inverse error function (2008)."""
    x, a = 2 * scores - 1, 0.147
    log = torch.log((1 - x) * (1 + x))
    v = 2 / (pi * a) + log / 2
    return torch.copysign(torch.sqrt(2 * (torch.sqrt(v * v - log / a) - v)), x)
