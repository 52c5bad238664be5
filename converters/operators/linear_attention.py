"""Attention with a running state instead of scores, and the short causal convolution that goes before it."""

from __future__ import annotations

from math import sqrt

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from . import operator

_RULES = ("linear", "gated", "delta", "gated_delta")


@operator("LinearAttention", since=27)
def linear_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    past_state: Tensor | None = None,
    decay: Tensor | None = None,
    beta: Tensor | None = None,
    *,
    chunk_size: int = 64,
    kv_num_heads: int = 0,
    q_num_heads: int = 0,
    scale: float = 0.0,
    update_rule: str = "gated_delta",
) -> tuple[Tensor, Tensor]:
    """``S = exp(decay) S + beta k (v - S' k)'``, output ``scale q' S``, token by token; see the rules of ONNX."""
    if update_rule not in _RULES:
        raise NotImplementedError(f"the update rule {update_rule}")
    dtype = query.dtype
    wide = torch.promote_types(dtype, torch.float32)
    q, k, v = (_split(x.to(wide), n) for x, n in ((query, q_num_heads), (key, kv_num_heads), (value, kv_num_heads)))
    factor = scale or 1 / sqrt(q.shape[-1])
    state = k.new_zeros(*k.shape[:1], kv_num_heads, k.shape[-1], v.shape[-1])
    state = state if past_state is None else past_state.to(wide)
    gate = _split(decay.to(wide), kv_num_heads).exp() if decay is not None and "gated" in update_rule else None
    rate = _split(beta.to(wide), beta.shape[-1]) if beta is not None and "delta" in update_rule else None
    outputs = []
    for t in range(q.shape[1]):
        if gate is not None:
            state = gate[:, t].unsqueeze(-1) * state
        news = v[:, t]
        if rate is not None:
            news = rate[:, t] * (news - (k[:, t].unsqueeze(-2) @ state).squeeze(-2))
        state = state + k[:, t].unsqueeze(-1) * news.unsqueeze(-2)
        grouped = torch.unflatten(q[:, t], 1, (kv_num_heads, -1))  # queries of one group share a state
        outputs.append((factor * (grouped @ state)).flatten(1))
    return torch.stack(outputs, 1).to(dtype), state.to(dtype if past_state is None else past_state.dtype)


def _split(x: Tensor, heads: int) -> Tensor:
    """(batch, length, heads * size) as (batch, length, heads, size)."""
    return torch.unflatten(x, 2, (heads, -1))


@operator("CausalConvWithState", since=27)
def causal_conv_with_state(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    past_state: Tensor | None = None,
    *,
    activation: str = "none",
) -> tuple[Tensor, Tensor]:
    """Convolve each channel with its own kernel over the past, and keep the last k - 1 values."""
    if activation not in ("none", "silu", "swish"):
        raise NotImplementedError(f"the activation {activation}")
    keep = weight.shape[-1] - 1
    past = x.new_zeros(*x.shape[:2], keep) if past_state is None else past_state.to(x.dtype)
    padded = torch.cat([past, x], 2)
    y = F.conv1d(padded, weight, bias, groups=x.shape[1])
    return (y if activation == "none" else F.silu(y)), padded[..., padded.shape[-1] - keep :]
