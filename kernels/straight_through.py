"""A gradient that passes rounding as if it were not there."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["straight_through"]


def straight_through(values: Tensor, inputs: Tensor) -> Tensor:
    """Return the values; their gradient goes to the inputs, unchanged.

    Args:
        values: what is rounded, quantised or wrapped, of the inputs' shape and type.
        inputs: what it was made of.
    """
    result: Tensor = _StraightThrough.apply(values, inputs)  # type: ignore[no-untyped-call]
    return result


class _StraightThrough(torch.autograd.Function):
    """Not `inputs + (values - inputs).detach()`: that rounds whole numbers to their neighbours and makes NaN of inf."""

    generate_vmap_rule = True

    @staticmethod
    def forward(values: Tensor, inputs: Tensor) -> Tensor:
        return values.detach()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing is needed on the way back."""

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return None, gradients[0]
