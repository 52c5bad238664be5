"""onnxruntime's attention operators, as its transformer optimiser writes them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from . import Gradient, operator
from .attention import rotary_embedding
from .quantization import dequantize

_DOMAIN = "com.microsoft"
_MASKED = -10000.0  # what onnxruntime adds to the score of a masked key by default


@operator("Attention", domain=_DOMAIN)
def attention(
    x: Tensor,
    weights: Tensor,
    bias: Tensor | None = None,
    mask_index: Tensor | None = None,
    past: Tensor | None = None,
    attention_bias: Tensor | None = None,
    past_sequence_length: Tensor | None = None,
    *,
    do_rotary: int = 0,
    mask_filter_value: float = _MASKED,
    num_heads: int,
    past_present_share_buffer: int = 0,
    qkv_hidden_sizes: Sequence[int] = (),
    rotary_embedding_dim: int = 0,
    scale: float = 0.0,
    unidirectional: int = 0,
) -> tuple[Tensor, Tensor]:
    """Self-attention of ``x @ weights + bias``, the projections of query, key and value side by side."""
    if do_rotary or past_present_share_buffer:
        raise NotImplementedError("Attention with do_rotary or past_present_share_buffer")
    projected = torch.matmul(x, weights) if bias is None else torch.matmul(x, weights) + bias
    sizes = list(qkv_hidden_sizes) or [weights.shape[1] // 3] * 3
    q, k, v = (_heads(part, num_heads) for part in torch.split(projected, sizes, -1))
    before = 0
    if past is not None:
        k, v, before = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2), past.shape[3]
    added = _added(q, k, mask_index, attention_bias, mask_filter_value)
    y = _attended(q, k, v, _causal(q, k, added, before) if unidirectional else added, scale)
    return y, torch.stack([k, v]) if k.shape == v.shape else k


@operator("QAttention", domain=_DOMAIN, gradient=Gradient.STRAIGHT_THROUGH)
def qattention(
    x: Tensor,
    weights: Tensor,
    bias: Tensor,
    x_scale: Tensor,
    weight_scale: Tensor,
    mask_index: Tensor | None = None,
    x_zero_point: Tensor | None = None,
    weight_zero_point: Tensor | None = None,
    past: Tensor | None = None,
    *,
    do_rotary: int = 0,
    mask_filter_value: float = _MASKED,
    num_heads: int,
    past_present_share_buffer: int = 0,
    scale: float = 0.0,
    unidirectional: int = 0,
) -> tuple[Tensor, Tensor]:
    """Attention of the dequantised input and weights."""
    return attention(
        dequantize(x, x_scale, x_zero_point), dequantize(weights, weight_scale, weight_zero_point), bias, mask_index,
        past, do_rotary=do_rotary, mask_filter_value=mask_filter_value, num_heads=num_heads,
        past_present_share_buffer=past_present_share_buffer, scale=scale, unidirectional=unidirectional,
    )  # fmt: skip


@operator("MultiHeadAttention", domain=_DOMAIN)
def multi_head_attention(
    query: Tensor,
    key: Tensor | None = None,
    value: Tensor | None = None,
    bias: Tensor | None = None,
    key_padding_mask: Tensor | None = None,
    attention_bias: Tensor | None = None,
    past_key: Tensor | None = None,
    past_value: Tensor | None = None,
    past_sequence_length: Tensor | None = None,
    cache_indirection: Tensor | None = None,
    *,
    mask_filter_value: float = _MASKED,
    num_heads: int,
    scale: float = 0.0,
    unidirectional: int = 0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Attention of projected queries (N, S, D), keys and values, or of one tensor (N, S, heads, 3, size) of all."""
    if past_sequence_length is not None or cache_indirection is not None:
        raise NotImplementedError("MultiHeadAttention with a shared buffer of past keys")
    q, k, v = _parts(query, key, value, bias, num_heads)
    before = 0
    if past_key is not None and past_value is not None:
        k, v, before = torch.cat([past_key, k], 2), torch.cat([past_value, v], 2), past_key.shape[2]
    added = _added(q, k, key_padding_mask, attention_bias, mask_filter_value)
    return _attended(q, k, v, _causal(q, k, added, before) if unidirectional else added, scale), k, v


@operator("RotaryEmbedding", domain=_DOMAIN)
def microsoft_rotary_embedding(
    x: Tensor,
    position_ids: Tensor,
    cos_cache: Tensor,
    sin_cache: Tensor,
    *,
    interleaved: int = 0,
    is_packed_batching: int = 0,
    num_heads: int = 0,
    rotary_embedding_dim: int = 0,
    scale: float = 1.0,
) -> Tensor:
    """As ONNX's RotaryEmbedding; one position is that of the first element."""
    if is_packed_batching or scale != 1:
        raise NotImplementedError("RotaryEmbedding with is_packed_batching or a scale")
    places = position_ids.long()
    if places.ndim == 1:
        length = x.shape[2] if x.ndim == 4 else x.shape[1]
        places = (places + torch.arange(length, device=x.device)).expand(len(x), length)
    heads = num_heads or (0 if x.ndim == 4 else x.shape[-1] // (2 * cos_cache.shape[-1]))
    return rotary_embedding(x, cos_cache, sin_cache, places, interleaved=interleaved, num_heads=heads,
                            rotary_embedding_dim=rotary_embedding_dim)  # fmt: skip


def _parts(
    query: Tensor, key: Tensor | None, value: Tensor | None, bias: Tensor | None, heads: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Query, key and value (N, heads, S, size) with the bias added."""
    if key is None or value is None:
        if query.ndim == 5:  # (N, S, heads, 3, size)
            query = query.transpose(2, 3).flatten(2)
            query, key, value = query.chunk(3, -1)
        elif key is not None and key.ndim == 5:  # (N, S, heads, 2, size)
            key, value = key.transpose(2, 3).flatten(2).chunk(2, -1)
        else:
            raise NotImplementedError("MultiHeadAttention with a query alone that is not (N, S, heads, 3, size)")
    if bias is not None:
        width = query.shape[-1]
        query = query + bias[:width]
        key = key + bias[width : 2 * width] if key.ndim == 3 else key
        value = value + bias[2 * width :] if value.ndim == 3 else value
    return _heads(query, heads), _heads(key, heads), _heads(value, heads)


def _heads(x: Tensor, count: int) -> Tensor:
    """(N, S, D) as (N, heads, S, D / heads); what has this form already stays."""
    return x if x.ndim == 4 else x.reshape(*x.shape[:-1], count, -1).transpose(1, 2)


def _attended(q: Tensor, k: Tensor, v: Tensor, added: Tensor | None, scale: float) -> Tensor:
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=added, scale=scale or None)
    return y.transpose(1, 2).flatten(2)


def _added(q: Tensor, k: Tensor, mask: Tensor | None, bias: Tensor | None, masked: float) -> Tensor | None:
    """What is added to the scores."""
    if mask is None:
        return bias
    seen = _seen(mask, len(q), q.shape[2], k.shape[2])
    hidden = (1 - seen.to(q.dtype)) * masked
    return hidden if bias is None else hidden + bias


def _seen(mask: Tensor, batch: int, queries: int, keys: int) -> Tensor:
    """1 where a query may look at a key, broadcast to (N, heads, queries, keys)."""
    if mask.ndim == 1:  # lengths; or ends, then starts; or lengths, then two running sums
        place = torch.arange(keys, device=mask.device)
        seen = place < mask[:batch, None]
        if len(mask) == 2 * batch:
            seen = seen & (place >= mask[batch:, None])
        return seen[:, None, None]
    if mask.ndim == 4:
        return mask[:, :, keys - queries : keys, :keys]
    return mask[:, None, None] if mask.ndim == 2 else mask[:, None]


def _causal(q: Tensor, k: Tensor, added: Tensor | None, before: int) -> Tensor:
    """The same, with later keys hidden; `before` keys lie in the past."""
    later = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=q.device).triu(before + 1)
    hidden = torch.zeros(later.shape, dtype=q.dtype, device=q.device).masked_fill(later, torch.finfo(q.dtype).min)
    return hidden if added is None else torch.where(later, hidden, added)
