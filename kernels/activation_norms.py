"""How large the activations of every sample and channel are: all norms in one pass over memory."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .norms.backends import Backend, backend_for
from .norms.operator import norms_operator
from .norms.reference import reference_norms

__all__ = ["Backend", "Norms", "activation_norms", "activation_norms_reference", "backend_for"]

EXACT_IN_FLOAT32 = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.uint16)
AS_THEY_ARE = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


class Norms(NamedTuple):
    """Statistics over the positions of each sample and channel, (N, C) each; None where they were not asked for."""

    l1: Tensor
    """Sum of |x|."""
    l2: Tensor
    """Root of the sum of x²."""
    linf: Tensor
    """Largest |x|."""
    mean: Tensor | None
    """Sum of x by the number of positions."""
    second_moment: Tensor | None
    """Sum of x² by the number of positions."""
    variance: Tensor | None
    """Mean squared deviation from the mean (no correction); exact also where the mean is large beside it."""
    argmax: Tensor | None
    """int64: position of the largest |x| in the flattened spatial axes, the first of equals."""


def activation_norms(x: Tensor, *, moments: bool = False, argmax: bool = False) -> Norms:
    """Measure every sample and channel of a batch of activations in one pass over memory.

    Args:
        x: (N, C) or (N, C, *spatial) of up to three spatial axes, on any device, with any strides (channels_last,
            crops, transposes and expanded tensors are not copied). float16 and bfloat16 are added up in float32.
            bool and integers of up to 16 bits are taken as float32, wider ones as float64: exact up to 2^53.
        moments: whether mean, second moment and variance are wanted.
        argmax: whether the position of the largest magnitude is wanted.

    Returns:
        float32, or float64 for float64 and wide integers. NaN and infinity propagate as in torch: a NaN makes every
        value of its channel NaN, and its position is the argmax. Without positions the norms are 0, the moments NaN
        and the argmax -1.

    Gradients flow from all but the argmax: sign(x) for l1, x / l2 for l2 (0 where l2 is 0), and for linf the sign of
    the first largest element alone (torch shares it between equals). torch.func's transforms do not pass: torch has
    none for custom operators.

    Raises:
        ValueError: fewer than 2 or more than 5 axes, complex numbers, or a sparse tensor.
    """
    values, index = norms_operator(_real(x), moments, argmax)
    return _named(values, index, moments, argmax)


def activation_norms_reference(x: Tensor, *, moments: bool = False, argmax: bool = False) -> Norms:
    """Compute the same in plain torch operations, one after the other: slow, and easy to believe."""
    values, index = reference_norms(_real(x), moments, argmax)
    return _named(values, index, moments, argmax)


def _named(values: Tensor, index: Tensor, moments: bool, argmax: bool) -> Norms:
    l1, l2, linf, *rest = values.unbind()
    mean, second_moment, variance = rest if moments else (None, None, None)
    return Norms(l1, l2, linf, mean, second_moment, variance, index if argmax else None)


def _real(x: Tensor) -> Tensor:
    """The tensor in a type that the kernels take; raises ValueError for what has no norms by channel."""
    if not 2 <= x.dim() <= 5:
        raise ValueError(f"expected activations (N, C, *spatial) of 2 to 5 axes, got shape {tuple(x.shape)}")
    if x.is_complex() or x.layout != torch.strided:
        raise ValueError(f"expected a dense tensor of real numbers, got {x.dtype} in {x.layout}")
    if x.dtype in AS_THEY_ARE:
        return x
    return x.to(torch.float32 if x.is_floating_point() or x.dtype in EXACT_IN_FLOAT32 else torch.float64)
