"""onnxruntime's normalisations with what stands before them: a sum, a bias, an embedding."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from . import operator

_DOMAIN = "com.microsoft"


@operator("SimplifiedLayerNormalization")
def simplified_layer_normalization(
    x: Tensor, scale: Tensor, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> tuple[Tensor, Tensor]:
    """``x / rms(x) * scale`` over `axis` and all behind it, and ``1 / rms(x)``."""
    axes = tuple(range(axis % x.ndim, x.ndim))
    inverse = torch.rsqrt(x.float().square().mean(axes, True) + epsilon)
    return (x * inverse).to(x.dtype) * scale, inverse


@operator("SkipLayerNormalization", domain=_DOMAIN)
def skip_layer_normalization(
    x: Tensor,
    skip: Tensor,
    gamma: Tensor,
    beta: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    epsilon: float = 1e-12,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """LayerNormalization of ``x + skip + bias`` over the last axis; its mean, its inverse deviation and the sum."""
    total = _sum(x, skip, bias)
    mean = total.mean(-1, True)
    inverse = torch.rsqrt(total.var(-1, correction=0, keepdim=True) + epsilon)
    return F.layer_norm(total, total.shape[-1:], gamma, beta, epsilon), mean, inverse, total


@operator("SkipSimplifiedLayerNormalization", domain=_DOMAIN)
def skip_simplified_layer_normalization(
    x: Tensor, skip: Tensor, gamma: Tensor, bias: Tensor | None = None, *, epsilon: float = 1e-12
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """``t / rms(t) * gamma`` of ``t = x + skip + bias``; a mean that is not used, ``1 / rms(t)``, and t."""
    total = _sum(x, skip, bias)
    y, inverse = simplified_layer_normalization(total, gamma, epsilon=epsilon)
    return y, torch.zeros_like(inverse), inverse, total


@operator("EmbedLayerNormalization", domain=_DOMAIN)
def embed_layer_normalization(
    input_ids: Tensor,
    segment_ids: Tensor | None,
    word_embedding: Tensor,
    position_embedding: Tensor,
    segment_embedding: Tensor | None,
    gamma: Tensor,
    beta: Tensor,
    mask: Tensor | None = None,
    position_ids: Tensor | None = None,
    *,
    epsilon: float = 1e-12,
    mask_index_type: int = 1,
) -> tuple[Tensor, Tensor, Tensor]:
    """LayerNormalization of the sum of word, position and segment embeddings; the masks' lengths, and the sum."""
    places = torch.arange(input_ids.shape[1], device=input_ids.device) if position_ids is None else position_ids.long()
    total = F.embedding(input_ids.long(), word_embedding) + F.embedding(places, position_embedding)
    if segment_ids is not None and segment_embedding is not None:
        total = total + F.embedding(segment_ids.long(), segment_embedding)
    lengths = input_ids.new_zeros(len(input_ids)) if mask is None or not mask_index_type else (mask == 1).sum(1)
    return F.layer_norm(total, total.shape[-1:], gamma, beta, epsilon), lengths.int(), total


@operator("GroupNorm", domain=_DOMAIN)
def group_norm(
    x: Tensor, gamma: Tensor, beta: Tensor, *, activation: int, channels_last: int = 1, epsilon: float = 1e-5,
    groups: int,
) -> Tensor:  # fmt: skip
    """GroupNormalization over (N, ..., C), or (N, C, ...), and after it ``y * sigmoid(y)`` with `activation`."""
    y = F.group_norm(x.movedim(-1, 1) if channels_last else x, groups, gamma.to(x.dtype), beta.to(x.dtype), epsilon)
    y = F.silu(y) if activation else y
    return y.movedim(1, -1) if channels_last else y


def _sum(x: Tensor, skip: Tensor, bias: Tensor | None) -> Tensor:
    return x + skip if bias is None else x + skip + bias
