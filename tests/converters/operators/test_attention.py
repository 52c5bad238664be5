"""Attention and its relatives beyond the node tests: gradients, and both ways to the same values."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from onnxray.converters.operators.attention import attention, flex_attention, rotary_embedding
from onnxray.converters.operators.linear_attention import causal_conv_with_state, linear_attention


def first_of(function: Callable[..., Any], *values: torch.Tensor, **settings: Any) -> torch.Tensor:
    output: torch.Tensor = function(*values, **settings)[0]
    return output


def heads(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("causal", [0, 1])
@pytest.mark.parametrize("mask", [None, torch.tensor([[True, False, True], [True, True, False]]), torch.randn(2, 3)])
def test_the_kernel_and_the_steps_agree(causal: int, mask: torch.Tensor | None) -> None:
    q, k, v = heads(2, 4, 2, 5), heads(2, 2, 3, 5), heads(2, 2, 3, 6)
    mask = mask.double() if mask is not None and mask.is_floating_point() else mask
    fast = attention(q, k, v, mask, is_causal=causal)[0]
    slow = attention(q, k, v, mask, is_causal=causal, _outputs=4)[0]
    torch.testing.assert_close(fast, slow)


def test_a_query_that_sees_nothing_gives_zero_and_a_finite_gradient() -> None:
    q, k, v = (heads(1, 1, 2, 3).requires_grad_() for _ in range(3))
    y = attention(q, k, v, torch.tensor([[True, True], [False, False]]))[0]
    assert y is not None
    assert not y[0, 0, 1].any()
    (gradient,) = torch.autograd.grad(y.sum(), q)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("opset", [23, 24])
def test_against_onnxruntime(agree: Callable[..., Any], opset: int) -> None:
    rng = np.random.default_rng(0)
    q, k, v = (rng.standard_normal((2, 3, 8)).astype(np.float32) for _ in range(3))
    agree("y = Attention<q_num_heads=4, kv_num_heads=2, is_causal=1>(a, b, c)", q, k[..., :4], v[..., :4], opset=opset)
    agree("y = Attention<q_num_heads=2, kv_num_heads=2, softcap=2.0>(a, b, c)", q, k, v, opset=opset)


def test_gradients() -> None:
    q, k, v = (heads(1, 2, 3, 4).requires_grad_() for _ in range(3))
    assert torch.autograd.gradcheck(partial(first_of, attention, softcap=1.5), (q, k, v))
    assert torch.autograd.gradcheck(partial(first_of, attention, is_causal=1), (q, k, v))
    assert torch.autograd.gradcheck(lambda *x: flex_attention(*x, score_mod=lambda s: (s * 2,)), (q, k, v))
    angles = heads(1, 3, 2)
    assert torch.autograd.gradcheck(lambda x: rotary_embedding(x, angles.cos(), angles.sin(), interleaved=1), (q,))
    packed = [heads(1, 3, 4).requires_grad_() for _ in range(3)]
    settings = {"update_rule": "delta", "q_num_heads": 2, "kv_num_heads": 2, "beta": heads(1, 3, 2).sigmoid()}
    assert torch.autograd.gradcheck(partial(first_of, linear_attention, **settings), packed)
    assert torch.autograd.gradcheck(
        lambda x, w: causal_conv_with_state(x, w, activation="silu")[0], (packed[0], heads(3, 1, 2).requires_grad_())
    )


def test_refusals() -> None:
    x = heads(1, 3, 4)
    with pytest.raises(NotImplementedError, match="update rule cubic"):
        linear_attention(x, x, x, q_num_heads=2, kv_num_heads=2, update_rule="cubic")
    with pytest.raises(NotImplementedError, match="activation gelu"):
        causal_conv_with_state(x, heads(3, 1, 2), activation="gelu")
