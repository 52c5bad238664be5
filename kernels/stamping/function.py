"""Stamping as one step of autograd that keeps nothing but what it was given."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..norms.backends import backend_for
from .chunked import chunked_gradient, chunked_stamp

__all__ = ["Stamp"]

LARGEST_PICTURE = 2**31 - 2**16  # numbers that the GPU kernels reach with 32 bits


class Stamp(torch.autograd.Function):
    """``stamp`` for images that need no gradient and tensors of one floating-point type.

    Arguments: images, masks, patterns, index, channels_last, as in ``plain_stamp``.
    """

    @staticmethod
    def forward(
        ctx: Any, images: Tensor, masks: Tensor, patterns: Tensor, index: Tensor | None, channels_last: bool
    ) -> Tensor:
        """See ``torch.autograd.Function.forward``."""
        ctx.save_for_backward(images, masks, patterns, index)
        ctx.channels_last = channels_last
        if _has_kernel(images):
            from .launch import triton_stamp

            return triton_stamp(images, masks, patterns, index, channels_last)
        return chunked_stamp(images, masks, patterns, index, channels_last)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, Tensor, None, None]:
        """See ``torch.autograd.Function.backward``; differentiable where the caller asked for that."""
        images, masks, patterns, index = ctx.saved_tensors
        (gradient,) = gradients
        if torch.is_grad_enabled():
            return None, *_differentiable_gradient(gradient, images, masks, patterns, index), None, None
        if _has_kernel(images):
            from .launch import triton_gradient

            return None, *triton_gradient(gradient, images, masks, patterns, index), None, None
        return None, *chunked_gradient(gradient, images, masks, patterns, index, ctx.channels_last), None, None


def _has_kernel(images: Tensor) -> bool:
    if images.device.type == "cpu" or images.device.type == "meta":
        return False
    span = sum((n - 1) * s for n, s in zip(images.shape[-3:], images.stride()[-3:], strict=True))
    return span < LARGEST_PICTURE and backend_for(images.device, images.dtype).name == "triton"


def _differentiable_gradient(
    gradient: Tensor, images: Tensor, masks: Tensor, patterns: Tensor, index: Tensor | None
) -> tuple[Tensor, Tensor]:
    images = images if index is None else images[index]
    of_mask = (gradient * (patterns[:, None] - images)).sum((1, 2))[:, None]
    return of_mask, gradient.sum(1) * masks
