"""Values of the rounding, gradient of what went in."""

from __future__ import annotations

import torch
from onnxray.kernels.straight_through import straight_through


def test_values_are_exact_and_the_gradient_is_passed_on() -> None:
    x = torch.tensor([0.1, 2.6, -torch.inf], requires_grad=True)
    y = straight_through(x.round(), x)
    (2 * y).sum().backward()  # type: ignore[no-untyped-call]
    assert y.tolist() == [0, 3, -torch.inf]
    assert x.grad is not None
    assert x.grad.tolist() == [2, 2, 2]


def test_under_torch_func() -> None:
    def loss(x: torch.Tensor) -> torch.Tensor:
        return (3 * straight_through(x.round(), x)).sum()

    x = torch.tensor([[0.4, 1.6], [2.2, 3.0]])
    assert torch.func.grad(loss)(x).tolist() == [[3, 3], [3, 3]]
    assert torch.func.vmap(torch.func.grad(loss))(x).tolist() == [[3, 3], [3, 3]]


def test_no_gradient_where_none_is_asked_for() -> None:
    assert not straight_through(torch.ones(1), torch.ones(1)).requires_grad
