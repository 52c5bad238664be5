"""Neural Cleanse's schedule for the weight of the mask's size, for many searches at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["CostSchedule"]


@dataclass
class CostSchedule:
    """The weight lambda of |m|_1 of each of R searches, raised while the attack succeeds and lowered while it fails.

    It starts at 0 and becomes ``initial`` at the first success; each further success multiplies it by ``multiplier``,
    and by ``ramp`` before the first failure, as the right size is orders of magnitude away; each failure divides it by
    ``multiplier ** 1.5``. Success is the attack success over ``window`` steps; a window
    without a picture that counts changes nothing.

    The authors average over about 1,000 pictures a step and wait for ``patience`` such steps; taking ``window`` small
    steps together asks the same question of fewer pictures. Asking every small step for success instead ("each of 5
    steps of 32 pictures without a miss") is far too noisy and leaves masks well above their smallest size.

    Source: Wang et al. 2019, section V-A, and the authors' code (its exponent is 1.5).

    Attributes:
        cost: (R,) lambda.
        succeeded: (R,) bool, whether the last window did.
    """

    searches: int
    device: str = "cpu"
    asr: float = 0.99
    initial: float = 1e-3
    multiplier: float = 1.5
    window: int = 5
    ramp: float = 3.375

    def __post_init__(self) -> None:
        zeros = torch.zeros(self.searches, device=self.device)
        self.cost = zeros.clone()
        self._hits = zeros.clone()
        self._counted = zeros.clone()
        self._steps = 0
        self.succeeded = zeros.bool()
        self._raised = zeros.bool()
        self._lowered = zeros.bool()

    @property
    def settled(self) -> Tensor:
        """(R,) bool: lambda has gone both up and down, so the search has met its limit."""
        return self._raised & self._lowered

    def update(self, rows: Tensor, hits: Tensor, counted: Tensor) -> None:
        """Note a step's hits (L,) among the pictures that counted (L,); at a window's end, move the lambdas.

        Args:
            rows: (L,) the searches that took the step.
        """
        self._hits[rows] += hits
        self._counted[rows] += counted
        self._steps += 1
        if self._steps < self.window:
            return
        asked = self._counted[rows] > 0
        success = asked & (self._hits[rows] >= self.asr * self._counted[rows] - 1e-4)
        failure = asked & ~success
        self.succeeded[rows] = success
        cost = self.cost[rows]
        faster = torch.where(self._lowered[rows], self.multiplier, self.ramp)
        idle = cost == 0
        cost = torch.where(success, torch.where(idle, self.initial, cost * faster), cost)
        self.cost[rows] = torch.where(failure, cost / self.multiplier**1.5, cost)
        self._raised[rows] |= success & ~idle
        self._lowered[rows] |= failure & ~idle
        self._hits.zero_()
        self._counted.zero_()
        self._steps = 0
