"""Scores to shares of one along an axis; before opset 13 along all axes from one on."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from . import Gradient, operator


@operator("Softmax", since=13)
def softmax(x: Tensor, *, axis: int = -1) -> Tensor:
    """``exp(x)``, divided by its sum along the axis."""
    return torch.softmax(x, axis)


@operator("Softmax")
def softmax_1(x: Tensor, *, axis: int = 1) -> Tensor:
    """The same over all axes from `axis` on."""
    return _from(axis, x, softmax)


@operator("LogSoftmax", since=13)
def log_softmax(x: Tensor, *, axis: int = -1) -> Tensor:
    """Logarithm of the softmax."""
    return torch.log_softmax(x, axis)


@operator("LogSoftmax")
def log_softmax_1(x: Tensor, *, axis: int = 1) -> Tensor:
    """The same over all axes from `axis` on."""
    return _from(axis, x, log_softmax)


@operator("Hardmax", since=13, gradient=Gradient.NONE)
def hardmax(x: Tensor, *, axis: int = -1) -> Tensor:
    """1 at the first largest value along the axis, else 0."""
    return torch.zeros_like(x).scatter(axis, torch.argmax(x, axis, keepdim=True), 1)


@operator("Hardmax", gradient=Gradient.NONE)
def hardmax_1(x: Tensor, *, axis: int = 1) -> Tensor:
    """The same over all axes from `axis` on."""
    return _from(axis, x, hardmax)


def _from(axis: int, x: Tensor, function: Callable[..., Tensor]) -> Tensor:
    axis = axis % x.dim() if axis < 0 else axis
    if axis == x.dim() - 1:
        return function(x, axis=axis)
    rows = x.shape[:axis].numel()
    return function(x.reshape(rows, x.shape[axis:].numel()), axis=1).reshape(x.shape)
