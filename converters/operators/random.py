"""Random numbers: refused, because no twin can draw what onnxruntime draws; unless there is nothing to draw.

The refusal comes while the graph is converted, so a model is told apart from one that merely disagrees. A normal
distribution of scale 0 and a uniform one whose bounds are equal are constants, and are converted.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..dtypes import torch_dtype
from . import Gradient, operator

_REASON = "its values are random: the original answers differently each time"


class _Fixed(nn.Module):
    """A distribution with a single value."""

    def __init__(self, value: float, spread: float, dtype: int) -> None:
        super().__init__()
        if spread:
            raise NotImplementedError(_REASON)
        self.value = value
        self.dtype = torch_dtype(dtype) if dtype else None


class _Shaped(_Fixed):
    def __init__(self, value: float, spread: float, dtype: int, shape: tuple[int, ...]) -> None:
        super().__init__(value, spread, dtype)
        self.shape = shape

    def forward(self) -> Tensor:
        return torch.full(self.shape, self.value, dtype=self.dtype)


class _Like(_Fixed):
    def forward(self, x: Tensor) -> Tensor:
        return torch.full_like(x, self.value, dtype=self.dtype)


@operator("RandomNormal", gradient=Gradient.NONE, foldable=False)
class RandomNormal(_Shaped):
    """``mean``, where the scale is 0."""

    def __init__(
        self, *, shape: tuple[int, ...], dtype: int = 1, mean: float = 0.0, scale: float = 1.0, seed: float = 0.0
    ) -> None:
        """Refuse a scale other than 0."""
        super().__init__(mean, scale, dtype, shape)


@operator("RandomNormalLike", gradient=Gradient.NONE, foldable=False)
class RandomNormalLike(_Like):
    """``mean`` in the input's shape, where the scale is 0."""

    def __init__(self, *, dtype: int = 0, mean: float = 0.0, scale: float = 1.0, seed: float = 0.0) -> None:
        """Refuse a scale other than 0."""
        super().__init__(mean, scale, dtype)


@operator("RandomUniform", gradient=Gradient.NONE, foldable=False)
class RandomUniform(_Shaped):
    """``low``, where it is also the upper bound."""

    def __init__(
        self, *, shape: tuple[int, ...], dtype: int = 1, high: float = 1.0, low: float = 0.0, seed: float = 0.0
    ) -> None:
        """Refuse bounds that differ."""
        super().__init__(low, high - low, dtype, shape)


@operator("RandomUniformLike", gradient=Gradient.NONE, foldable=False)
class RandomUniformLike(_Like):
    """``low`` in the input's shape, where it is also the upper bound."""

    def __init__(self, *, dtype: int = 0, high: float = 1.0, low: float = 0.0, seed: float = 0.0) -> None:
        """Refuse bounds that differ."""
        super().__init__(low, high - low, dtype)


@operator("Bernoulli", since=15, gradient=Gradient.NONE, foldable=False)
class Bernoulli(_Like):
    """Refused: a coin for each value."""

    def __init__(self, *, dtype: int = 0, seed: float = 0.0) -> None:
        """Refuse."""
        super().__init__(0.0, 1.0, dtype)


@operator("Multinomial", since=7, gradient=Gradient.NONE, foldable=False)
class Multinomial(_Like):
    """Refused: draws of a class."""

    def __init__(self, *, dtype: int = 6, sample_size: int = 1, seed: float = 0.0) -> None:
        """Refuse."""
        super().__init__(0.0, 1.0, dtype)
