"""Triggers that follow the weights while those unlearn them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ..mask_size import mask_size
from ..trigger_descent import squash, unsquash

if TYPE_CHECKING:
    from ..samples import Samples
    from ..triggers import Trigger

__all__ = ["Chase"]

RATE, PICTURES, AT_ONCE = 0.05, 24, 4
HOLD = 20.0  # price of a mask that grows by its own size, in nats
EDGE = 1e-3  # nothing starts closer to 0 and 1, where the gradient ends


class Chase:
    """Copies of triggers, each moved to where it works on the weights as they are now, and no larger than it was.

    What is unlearnt is a trigger as it was found. The backdoor answers to more than that, so that a copy a little aside
    still works when the original is dead, and shows what else there is to unlearn. One that moves every class can be
    moved to where it is no backdoor's any more; to unlearn that costs accuracy and closes nothing. With no triggers
    there is nothing to do.
    """

    def __init__(
        self, logits: Callable[[Tensor], Tensor], samples: Samples, triggers: Sequence[Trigger], device: str
    ) -> None:
        """Args: inputs of the model (N, ...) to its scores (N, K), clean samples, what is chased, and the device."""
        self._logits, self._samples, self._triggers = logits, samples, tuple(triggers)
        self._images = torch.from_numpy(samples.images).to(device)
        masks = [torch.from_numpy(t.mask)[None, None].to(device).clamp(EDGE, 1 - EDGE) for t in triggers]
        patterns = [torch.from_numpy(t.pattern)[None].to(device).clamp(EDGE, 1 - EDGE) for t in triggers]
        self._masks = [unsquash(mask).requires_grad_() for mask in masks]
        self._patterns = [unsquash(pattern).requires_grad_() for pattern in patterns]
        self._sizes = [mask_size(mask, t.norm) for mask, t in zip(masks, triggers, strict=True)]
        parameters = [*self._masks, *self._patterns]
        self._adam = torch.optim.Adam(parameters, lr=RATE) if parameters else None

    def moved(self, steps: int, rng: np.random.Generator) -> list[Trigger]:
        """The copies after so many more steps."""
        for _ in range(steps):
            self.step(rng)
        return self.now()

    def step(self, rng: np.random.Generator) -> None:
        """One step of Adam on a few of them, each on a few pictures of its own; the weights stay as they are."""
        if self._adam is None:
            return
        self._adam.zero_grad()
        for number in rng.permutation(len(self._triggers))[:AT_ONCE]:
            mask, pattern = self._masks[number], self._patterns[number]
            if (loss := self._loss(int(number), rng)) is not None:
                mask.grad, pattern.grad = torch.autograd.grad(loss, (mask, pattern))
        self._adam.step()

    def _loss(self, number: int, rng: np.random.Generator) -> Tensor | None:
        """How little it works, and grows; None where the pictures that were drawn are of its target."""
        trigger = self._triggers[number]
        drawn = rng.permutation(len(self._images))[:PICTURES]
        labels = self._samples.labels[drawn]
        wanted = trigger.wanted(labels)
        if not (counted := wanted != labels).any():
            return None
        images = self._images[torch.from_numpy(drawn[counted]).to(self._images.device)]
        mask, pattern = squash(self._masks[number]), squash(self._patterns[number])
        scores = self._logits(self._samples.domain.to_input(images + mask * (pattern - images))).float()
        goal = torch.from_numpy(wanted[counted]).to(scores.device)
        grown = torch.relu(mask_size(mask, trigger.norm) / self._sizes[number] - 1).sum()
        return cross_entropy(scores, goal) + HOLD * grown

    @torch.no_grad()
    def now(self) -> list[Trigger]:
        """The copies as they are."""
        return [
            replace(t, mask=squash(mask)[0, 0].cpu().numpy(), pattern=squash(pattern)[0].cpu().numpy())
            for t, mask, pattern in zip(self._triggers, self._masks, self._patterns, strict=True)
        ]
