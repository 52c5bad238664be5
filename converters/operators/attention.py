"""Attention and rotary embeddings; torch's own kernel wherever no step between scores and output is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..dtypes import torch_dtype
from . import operator


@dataclass(frozen=True)
class _Sides:
    """Which keys a query at a position sees by its place alone; -1 leaves a side open."""

    left: int
    right: int
    offset: int | Tensor  # keys before the first query; (batch,) where it differs

    def allowed(self, queries: int, keys: int, device: torch.device) -> Tensor:
        """(queries, keys), or (batch, 1, queries, keys) with an offset of each batch."""
        offset = self.offset.reshape(-1, 1, 1, 1) if isinstance(self.offset, Tensor) else self.offset
        place = torch.arange(queries, device=device)[:, None] + offset
        distance = torch.arange(keys, device=device) - place
        seen = torch.ones_like(distance, dtype=torch.bool)
        if self.left >= 0:
            seen = seen & (distance >= -self.left)
        return seen & (distance <= self.right) if self.right >= 0 else seen


@operator("Attention", since=23)
def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    attn_mask: Tensor | None = None,
    past_key: Tensor | None = None,
    past_value: Tensor | None = None,
    nonpad_kv_seqlen: Tensor | None = None,
    *,
    is_causal: int = 0,
    kv_num_heads: int = 0,
    left_window_size: int = -1,
    q_num_heads: int = 0,
    qk_matmul_output_mode: int = 0,
    right_window_size: int = -1,
    scale: float | None = None,
    softcap: float = 0.0,
    softmax_precision: int = 0,
    _outputs: int = 1,
) -> tuple[Tensor | None, ...]:
    """``softmax(q k' * scale + mask) v`` for each head; a query that may see no key gives zero."""
    rank = q.dim()
    q, k, v = _heads(q, q_num_heads), _heads(k, kv_num_heads), _heads(v, kv_num_heads)
    if past_key is not None and past_value is not None:
        k, v = torch.cat([past_key, k], 2), torch.cat([past_value, v], 2)
    present = k, v
    offset = _offset(q, past_key, nonpad_kv_seqlen)
    sides = _Sides(left_window_size, 0 if is_causal else right_window_size, offset)
    qk: Tensor | None = None
    if _outputs > 3 or softcap:
        bias = _bias(q, k, attn_mask, nonpad_kv_seqlen, sides)
        precision = torch_dtype(softmax_precision) if softmax_precision else q.dtype
        y, qk = _step_by_step(q, k, v, bias, scale, softcap, precision, qk_matmul_output_mode)
    else:
        y = _at_once(q, k, v, attn_mask, nonpad_kv_seqlen, sides, scale)
    return (y.transpose(1, 2).flatten(2) if rank == 3 else y, *present, qk)


def _heads(x: Tensor, count: int) -> Tensor:
    """(batch, length, heads * size) as (batch, heads, length, size)."""
    return torch.unflatten(x, 2, (count, -1)).transpose(1, 2) if x.dim() == 3 else x


def _offset(q: Tensor, past_key: Tensor | None, nonpad: Tensor | None) -> int | Tensor:
    if past_key is not None:
        return past_key.shape[2]
    return 0 if nonpad is None else nonpad.reshape(-1).long() - q.shape[2]


def _at_once(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, nonpad: Tensor | None, sides: _Sides, scale: float | None
) -> Tensor:
    gqa = q.shape[1] != k.shape[1]
    plain = mask is None and nonpad is None and sides.left < 0
    if plain and sides.right == 0 and not isinstance(sides.offset, Tensor) and sides.offset == 0:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale, enable_gqa=gqa)
    seen = _mask(q, k, mask, nonpad, sides)
    if seen is None:
        return F.scaled_dot_product_attention(q, k, v, scale=scale, enable_gqa=gqa)
    blind = _blind(seen)
    seen = seen | blind if seen.dtype == torch.bool else torch.where(blind, 0.0, seen)
    return torch.where(blind, 0.0, F.scaled_dot_product_attention(q, k, v, seen, scale=scale, enable_gqa=gqa))


def _blind(seen: Tensor) -> Tensor:
    """Queries that may see no key: they give 0, and a softmax over none of them a gradient that is NaN."""
    return (seen.logical_not() if seen.dtype == torch.bool else seen == -torch.inf).all(-1, keepdim=True)


def _mask(q: Tensor, k: Tensor, mask: Tensor | None, nonpad: Tensor | None, sides: _Sides) -> Tensor | None:
    """What may be seen, True or False, or what is to be added to the scores; None for everything."""
    queries, keys = q.shape[2], k.shape[2]
    seen = None
    if sides.left >= 0 or sides.right >= 0:
        seen = sides.allowed(queries, keys, q.device)
    if nonpad is not None:
        valid = torch.arange(keys, device=q.device) < nonpad.reshape(-1, 1, 1, 1)
        seen = valid if seen is None else seen & valid
    if mask is None:
        return seen
    if mask.shape[-1] < keys:
        mask = F.pad(mask, (0, keys - mask.shape[-1]), value=0 if mask.dtype == torch.bool else -torch.inf)
    if mask.dtype == torch.bool:
        return mask if seen is None else mask & seen
    mask = mask.to(q.dtype)
    return mask if seen is None else torch.where(seen, mask, -torch.inf)


def _bias(q: Tensor, k: Tensor, mask: Tensor | None, nonpad: Tensor | None, sides: _Sides) -> Tensor:
    """The mask as what is added to the scores."""
    seen = _mask(q, k, mask, nonpad, sides)
    if seen is None:
        return q.new_zeros(())
    return torch.where(seen, 0.0, -torch.inf).to(q.dtype) if seen.dtype == torch.bool else seen


def _step_by_step(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bias: Tensor,
    scale: float | None,
    softcap: float,
    precision: torch.dtype,
    mode: int,
) -> tuple[Tensor, Tensor]:
    """The output, and the scores: as they are, capped, with the bias, or as probabilities (mode 0 to 3)."""
    root = sqrt(1 / sqrt(q.shape[-1]) if scale is None else scale)
    k, v = _shared(k, q), _shared(v, q)
    raw = (q * root) @ (k * root).transpose(-1, -2)
    capped = softcap * torch.tanh(raw / softcap) if softcap else raw
    biased = capped + bias
    blind = _blind(bias) if bias.dim() else torch.zeros((), dtype=torch.bool, device=q.device)
    probabilities = torch.softmax(torch.where(blind, 0.0, biased).to(precision), -1).to(q.dtype)
    probabilities = torch.where(blind, 0.0, probabilities).to(q.dtype)
    return probabilities @ v, (raw, capped, biased, probabilities)[mode]


def _shared(x: Tensor, q: Tensor) -> Tensor:
    """Keys or values, each head repeated for the queries' heads that share it."""
    return x.repeat_interleave(q.shape[1] // x.shape[1], 1) if x.shape[1] != q.shape[1] else x


@operator("FlexAttention", domain="ai.onnx.preview")
def flex_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    prob_mod: Callable[[Tensor], tuple[Tensor]] | None = None,
    scale: float | None = None,
    score_mod: Callable[[Tensor], tuple[Tensor]] | None = None,
    softmax_precision: int = 0,
) -> Tensor:
    """``prob_mod(softmax(score_mod(q k' * scale))) v`` for each head."""
    usual = torch.float64 if q.dtype == torch.float64 else torch.float32
    precision = torch_dtype(softmax_precision) if softmax_precision else usual
    factor = 1 / sqrt(q.shape[-1]) if scale is None else scale
    scores = (q @ _shared(k, q).transpose(-1, -2)).to(precision) * factor
    probabilities = torch.softmax(score_mod(scores)[0] if score_mod else scores, -1)
    probabilities = prob_mod(probabilities)[0] if prob_mod else probabilities
    return probabilities.to(v.dtype) @ _shared(v, q)


@operator("RotaryEmbedding", since=23)
def rotary_embedding(
    x: Tensor,
    cos_cache: Tensor,
    sin_cache: Tensor,
    position_ids: Tensor | None = None,
    *,
    interleaved: int = 0,
    num_heads: int = 0,
    rotary_embedding_dim: int = 0,
) -> Tensor:
    """Turn pairs of features by an angle that grows with the position."""
    heads = _heads(x, num_heads)
    size = rotary_embedding_dim or heads.shape[-1]
    if position_ids is not None:
        cos_cache, sin_cache = cos_cache[position_ids.long()], sin_cache[position_ids.long()]
    cos, sin = cos_cache.unsqueeze(1), sin_cache.unsqueeze(1)
    turned, kept = heads[..., :size], heads[..., size:]
    a, b = (turned[..., 0::2], turned[..., 1::2]) if interleaved else turned.chunk(2, -1)
    real, imaginary = cos * a - sin * b, sin * a + cos * b
    pair = torch.stack([real, imaginary], -1).flatten(-2) if interleaved else torch.cat([real, imaginary], -1)
    y = torch.cat([pair, kept], -1) if kept.shape[-1] else pair
    return y.transpose(1, 2).flatten(2) if x.dim() == 3 else y
