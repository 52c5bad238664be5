"""Gradient descent on a goal, through the part of the graph that leads to it."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import fx

    from ..domain import InputDomain
    from .goals import Goal

__all__ = ["descend"]

STEPS = 150
RATE = 0.03


def descend(
    network: fx.GraphModule, names: Sequence[str], goal: Goal, domain: InputDomain, base: NDArray[np.float32],
    pixels: NDArray[np.intp], deadline: float,
) -> NDArray[np.float32]:  # fmt: skip
    """A picture (C, H, W) in [0, 1] nearer to the goal; the same where there is no gradient to follow.

    Args:
        network: from the input to the tensors of these names.
        pixels: positions in the flattened picture that may change.
    """
    import torch

    free = torch.from_numpy(base.reshape(-1)[pixels].copy()).requires_grad_()
    start, places = torch.from_numpy(base.reshape(-1).copy()), torch.from_numpy(pixels)
    optimiser = torch.optim.Adam([free], RATE)
    for _ in range(STEPS):
        picture = start.index_put((places,), free).reshape(1, *base.shape)
        try:
            values = dict(zip(names, network(domain.to_input(picture)), strict=True))
            (free.grad,) = torch.autograd.grad(goal.cost(values), free)
        except RuntimeError:  # a comparison or a cast to whole numbers: nothing to follow
            break
        if not free.grad.isfinite().all() or not free.grad.any() or monotonic() > deadline:
            break
        optimiser.step()
        free.data.clamp_(0, 1)
    flat = base.reshape(-1).copy()
    flat[pixels] = free.detach().numpy()
    return flat.reshape(base.shape)
