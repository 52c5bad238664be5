"""Linear models of ai.onnx.ml."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from . import operator
from .post_transform import class_labels, transformed, two_scores


class _Linear(nn.Module):
    """``x W' + b`` in float32."""

    weight: Tensor
    bias: Tensor | None

    def __init__(
        self, coefficients: tuple[float, ...], intercepts: tuple[float, ...], rows: int, transform: str
    ) -> None:
        super().__init__()
        self.register_buffer("weight", torch.tensor(coefficients).reshape(rows, -1), persistent=False)
        self.register_buffer("bias", torch.tensor(intercepts) if intercepts else None, persistent=False)
        self.transform = transform

    def scores(self, x: Tensor) -> Tensor:
        x = x.float()
        return F.linear(x.reshape(1, -1) if x.dim() < 2 else x, self.weight, self.bias)


@operator("LinearClassifier", domain="ai.onnx.ml")
class LinearClassifier(_Linear):
    """Scores ``x W' + b`` of each class; labels that are text are given as the class's index instead."""

    labels: Tensor

    def __init__(
        self,
        *,
        classlabels_ints: tuple[int, ...] = (),
        classlabels_strings: tuple[str, ...] = (),
        coefficients: tuple[float, ...],
        intercepts: tuple[float, ...] = (),
        multi_class: int = 0,
        post_transform: str = "NONE",
    ) -> None:
        """Keep the coefficients as tensors."""
        labels = class_labels(classlabels_ints, classlabels_strings)
        super().__init__(coefficients, intercepts, len(intercepts) or len(labels) or 1, post_transform)
        self.register_buffer("labels", labels, persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return labels (N,) and scores (N, K)."""
        scores = self.scores(x)
        if scores.shape[1] > 1:
            return self.labels[scores.argmax(1)], transformed(scores, self.transform)
        second = (scores[:, 0] > 0).long()
        if len(self.labels) != 2:
            return second, transformed(scores, self.transform) if self.transform == "PROBIT" else scores
        return self.labels[second], two_scores(scores, self.transform, True)


@operator("LinearRegressor", domain="ai.onnx.ml")
class LinearRegressor(_Linear):
    """``x W' + b`` for each target."""

    def __init__(
        self,
        *,
        coefficients: tuple[float, ...],
        intercepts: tuple[float, ...] = (),
        post_transform: str = "NONE",
        targets: int = 1,
    ) -> None:
        """Keep the coefficients as tensors."""
        super().__init__(coefficients, intercepts, targets, post_transform)

    def forward(self, x: Tensor) -> Tensor:
        """Return the targets (N, targets)."""
        scores = self.scores(x)
        single = scores.shape[1] == 1 and self.transform != "PROBIT"
        return scores if single else transformed(scores, self.transform)
