"""Adam over many independent searches, some of which have ended."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["Adam"]


class Adam:
    """Minimise several losses at once: row r of every parameter belongs to search r, and only live rows move.

    torch's own optimiser moves ended rows along by their momentum, and loading it takes over a second, more than a
    small network's whole search.

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1.
    """

    def __init__(
        self, parameters: Sequence[Tensor], lr: float, betas: tuple[float, float] = (0.5, 0.9), epsilon: float = 1e-8
    ) -> None:
        """Args: parameters (R, ...) that are changed in place, the learning rate, beta_1 and beta_2, and epsilon."""
        self.parameters, self.lr, self.betas, self.epsilon = tuple(parameters), lr, betas, epsilon
        self._first = [torch.zeros_like(p) for p in self.parameters]
        self._second = [torch.zeros_like(p) for p in self.parameters]
        self._steps = 0

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], rows: Tensor) -> None:
        """Take one step.

        Args:
            gradients: of each parameter's live rows (L, ...).
            rows: (L,) the live ones; a row that is once left out never comes back, as all count the same steps.
        """
        self._steps += 1
        beta1, beta2 = self.betas
        short = self.lr / (1 - beta1**self._steps)
        for p, g, first, second in zip(self.parameters, gradients, self._first, self._second, strict=True):
            m = first[rows].lerp_(g, 1 - beta1)
            v = second[rows].mul_(beta2).addcmul_(g, g, value=1 - beta2)
            first[rows], second[rows] = m, v
            scale = (v / (1 - beta2**self._steps)).sqrt_().add_(self.epsilon)
            p[rows] -= short * m / scale
