"""The operator ``onnxray::activation_norms``, so that torch.compile, torch.export and autograd know it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .backends import implementation
from .outputs import accumulation_type, empty_norms, new_outputs

__all__ = ["norms_operator"]


@torch.library.custom_op("onnxray::activation_norms", mutates_args=())
def norms_operator(x: Tensor, moments: bool, argmax: bool) -> tuple[Tensor, Tensor]:
    """Norms of a floating-point (N, C, *spatial) tensor of 2 to 5 axes; the results are those of ``new_outputs``."""
    if not x.numel():
        return empty_norms(x, moments, argmax)
    return implementation(x)(x, moments, argmax)


@norms_operator.register_fake
def _fake(x: Tensor, moments: bool, argmax: bool) -> tuple[Tensor, Tensor]:
    return new_outputs(x, moments, argmax)


def _remember(ctx: Any, inputs: tuple[Tensor, bool, bool], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(inputs[0], *output)
    ctx.moments, ctx.argmax = inputs[1:]


def _backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor, None, None]:
    x, values, index = ctx.saved_tensors
    if not ctx.argmax:
        index = norms_operator(x.detach(), False, True)[1]
    return _gradient(x, values, index, gradient, ctx.moments), None, None


def _gradient(x: Tensor, values: Tensor, index: Tensor, gradient: Tensor, moments: bool) -> Tensor:
    """The chain rule, in torch operations, so that it can itself be differentiated."""
    if not x.numel():
        return torch.zeros_like(x)
    rows = (x.flatten(2) if x.dim() > 2 else x[..., None]).to(accumulation_type(x.dtype))
    l1, l2, linf, *of_moments = gradient[..., None].unbind()
    norm = values[1, ..., None]
    zero = norm == 0
    result = l1 * rows.sign() + rows * (l2 / norm.masked_fill(zero, 1)).masked_fill(zero, 0)
    result = result.scatter_add(2, index[..., None], linf * rows.gather(2, index[..., None]).sign())
    if moments:
        mean, second, variance = of_moments
        deviation = rows - values[3, ..., None]
        result = result + (mean + 2 * second * rows + 2 * variance * deviation) / rows.shape[2]
    return result.reshape(x.shape).to(x.dtype)


norms_operator.register_autograd(_backward, setup_context=_remember)
