"""Support vector machines: exact values and exact gradients."""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor, nn

from . import operator
from .post_transform import class_labels, transformed, two_scores

_KERNELS = ("LINEAR", "POLY", "RBF", "SIGMOID")
_SMALLEST = 1e-7  # a pair's probability keeps that far from 0 and 1


class _Kernel(nn.Module):
    """What an input has in common with each support vector, (N, V); or the input itself, where there are none."""

    vectors: Tensor | None

    def __init__(self, kind: str, parameters: tuple[float, ...], vectors: tuple[float, ...], count: int) -> None:
        super().__init__()
        if kind not in _KERNELS:
            raise NotImplementedError(f"the kernel {kind}")
        self.kind = kind
        self.gamma, self.coef0, self.degree = parameters or (0.0, 0.0, 0.0)
        table = torch.tensor(vectors).reshape(count, -1) if count else None
        self.register_buffer("vectors", table, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x.float()
        x = x.reshape(1, -1) if x.dim() < 2 else x
        return x if self.vectors is None else self.between(x, self.vectors)

    def between(self, x: Tensor, others: Tensor) -> Tensor:
        """The kernel of each row of one with each row of the other."""
        if self.kind == "RBF":
            return torch.exp(-self.gamma * (x.unsqueeze(1) - others).square().sum(-1))
        product = x @ others.t()
        if self.kind == "LINEAR":
            return product
        product = self.gamma * product + self.coef0
        return torch.tanh(product) if self.kind == "SIGMOID" else product**self.degree


@operator("SVMRegressor", domain="ai.onnx.ml")
class SVMRegressor(nn.Module):
    """Weighted sum of kernels and an offset, (N, 1); of one class, 1 above zero and -1 elsewhere."""

    coefficients: Tensor

    def __init__(
        self,
        *,
        coefficients: tuple[float, ...],
        kernel_params: tuple[float, ...] = (),
        kernel_type: str = "LINEAR",
        n_supports: int = 0,
        one_class: int = 0,
        post_transform: str = "NONE",
        rho: tuple[float, ...] = (0.0,),
        support_vectors: tuple[float, ...] = (),
    ) -> None:
        """Keep the coefficients as tensors; onnxruntime ignores the post_transform."""
        super().__init__()
        self.kernel = _Kernel(kernel_type, kernel_params, support_vectors, n_supports)
        self.register_buffer("coefficients", torch.tensor(coefficients), persistent=False)
        self.offset, self.one_class = rho[0], one_class

    def forward(self, x: Tensor) -> Tensor:
        """Return the targets."""
        kernels = self.kernel(x)
        if self.kernel.vectors is None:
            y = self.kernel.between(kernels, self.coefficients[None]) + self.offset
        else:
            y = (kernels @ self.coefficients + self.offset)[:, None]
        return torch.where(y > 0, 1.0, -1.0) if self.one_class else y


@operator("SVMClassifier", domain="ai.onnx.ml")
class SVMClassifier(nn.Module):
    """Support vectors of each pair of classes, or one linear score for each class.

    Labels that are text are given as the class's index instead. The probabilities of several classes come from the
    pairs' as in Wu, Lin and Weng, "Probability estimates for multi-class classification by pairwise coupling" (JMLR
    2004), with as many iterations as the original makes.
    """

    labels: Tensor
    weights: Tensor
    offsets: Tensor
    prob_a: Tensor
    prob_b: Tensor
    first: Tensor
    second: Tensor

    def __init__(
        self,
        *,
        classlabels_ints: tuple[int, ...] = (),
        classlabels_strings: tuple[str, ...] = (),
        coefficients: tuple[float, ...],
        kernel_params: tuple[float, ...] = (),
        kernel_type: str = "LINEAR",
        post_transform: str = "NONE",
        prob_a: tuple[float, ...] = (),
        prob_b: tuple[float, ...] = (),
        rho: tuple[float, ...] = (0.0,),
        support_vectors: tuple[float, ...] = (),
        vectors_per_class: tuple[int, ...] = (),
    ) -> None:
        """Spread the coefficients over the pairs."""
        super().__init__()
        labels = class_labels(classlabels_ints, classlabels_strings)
        self.classes, self.transform = max(len(labels), 1), post_transform
        self.kernel = _Kernel(kernel_type, kernel_params, support_vectors, sum(vectors_per_class))
        self.paired = bool(vectors_per_class)
        weights = _of_pairs(coefficients, vectors_per_class) if self.paired else _of_classes(coefficients, self.classes)
        first, second = zip(*combinations(range(self.classes), 2), strict=True) if self.paired else ((), ())
        buffers = {
            "labels": labels, "weights": weights, "prob_a": torch.tensor(prob_a), "prob_b": torch.tensor(prob_b),
            "first": torch.tensor(first, dtype=torch.long), "second": torch.tensor(second, dtype=torch.long),
            "offsets": torch.tensor(rho if self.paired else rho[:1]),
        }  # fmt: skip
        for name, value in buffers.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return labels (N,) and scores: of classes, (N, K); of pairs, (N, K (K - 1) / 2), but two for two classes."""
        kernels = self.kernel(x)
        if not self.paired:
            scores = self.kernel.between(kernels, self.weights) + self.offsets
            return self._label(scores), transformed(scores, self.transform)
        scores = kernels @ self.weights.t() + self.offsets
        chosen = self._votes(scores).argmax(1)
        if len(self.prob_a):
            probabilities = self._coupled(scores)
            return self.labels[chosen], transformed(probabilities, self.transform)
        if self.classes > 2:
            return self.labels[chosen], transformed(scores, self.transform)
        # onnxruntime makes no softmax of a single score, but takes it for a probability.
        return self.labels[chosen], two_scores(scores, self.transform, self.transform.startswith("SOFTMAX"))

    def _label(self, scores: Tensor) -> Tensor:
        """The label of the best linear score; of two classes, onnxruntime names the second if any score is positive."""
        best, chosen = scores.max(1)
        return self.labels[torch.where(best > 0, 1, chosen) if self.classes == 2 else chosen]

    def _votes(self, scores: Tensor) -> Tensor:
        winners = torch.where(scores > 0, self.first, self.second)
        return nn.functional.one_hot(winners, self.classes).sum(1)

    def _coupled(self, scores: Tensor) -> Tensor:
        """The classes' probabilities (N, K) from the pairs' scores."""
        pair = torch.sigmoid(-(scores * self.prob_a + self.prob_b)).clamp(_SMALLEST, 1 - _SMALLEST)
        table = scores.new_zeros(len(scores), self.classes, self.classes)
        table = table.index_put((_rows(scores), self.first, self.second), pair)
        table = table.index_put((_rows(scores), self.second, self.first), 1 - pair)
        return _couple(table)


def _rows(scores: Tensor) -> Tensor:
    """Row numbers that go with every pair."""
    return torch.arange(len(scores), device=scores.device)[:, None]


def _of_classes(coefficients: tuple[float, ...], classes: int) -> Tensor:
    return torch.tensor(coefficients).reshape(classes, -1)


def _of_pairs(coefficients: tuple[float, ...], per_class: tuple[int, ...]) -> Tensor:
    """Each pair's weight for each support vector, (pairs, V): zero for those of other classes."""
    table = torch.tensor(coefficients).reshape(-1, sum(per_class))
    owner = torch.repeat_interleave(torch.arange(len(per_class)), torch.tensor(per_class))
    pairs = []
    for i, j in combinations(range(len(per_class)), 2):
        pairs.append(torch.where(owner == i, table[j - 1], torch.where(owner == j, table[i], 0.0)))
    return torch.stack(pairs)


def _couple(table: Tensor) -> Tensor:
    """Probabilities (N, K) that fit those of all pairs, (N, K, K), best: coordinate by coordinate, row by row."""
    classes = table.shape[1]
    q = -table * table.transpose(1, 2)
    q = q + torch.diag_embed(table.square().sum(1))
    p = torch.full_like(table[:, 0], 1 / classes)
    for _ in range(max(100, classes)):
        qp = (q @ p.unsqueeze(-1)).squeeze(-1)
        pqp = (p * qp).sum(1, keepdim=True)
        running = (qp - pqp).abs().amax(1, keepdim=True) >= 0.005 / classes
        if not running.any():
            break
        p = torch.where(running, _sweep(q, p, qp, pqp), p)
    return p


def _sweep(q: Tensor, p: Tensor, qp: Tensor, pqp: Tensor) -> Tensor:
    """One pass over all coordinates."""
    for t in range(q.shape[1]):
        step = (pqp - qp[:, t : t + 1]) / q[:, t, t, None]
        unit = torch.zeros_like(p)
        unit[:, t] = 1
        pqp = (pqp + step * (step * q[:, t, t, None] + 2 * qp[:, t : t + 1])) / (1 + step) ** 2
        p = (p + step * unit) / (1 + step)
        qp = (qp + step * q[:, t]) / (1 + step)
    return p
