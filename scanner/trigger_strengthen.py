"""Give a minimal trigger a little more room, so that it is judged by what it does and not by how tightly it was cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ..kernels.stamp import stamp
from .adam import Adam
from .mask_size import mask_size
from .parallel import side_by_side
from .trigger_descent import squash, unsquash
from .triggers import Trigger
from .victims import Victims

__all__ = ["StrengthenSettings", "strengthen"]

PICTURES = 128  # in one forward pass


@dataclass(frozen=True, kw_only=True)
class StrengthenSettings:
    """How much larger the mask may become, and how long to use the room.

    Attributes:
        growth: the largest mask allowed, as a multiple of the minimal trigger's.
        steps, batch, lr: of Adam.
        sure: mean cross entropy at which it may stop.
        check_every: steps between looks at the whole half.
    """

    growth: float = 1.5
    steps: int = 100
    batch: int = 16
    lr: float = 0.1
    check_every: int = 10
    sure: float = 1e-3


def strengthen(
    logits: Callable[[Tensor], Tensor],
    victims: Victims,
    triggers: Sequence[Trigger],
    settings: StrengthenSettings,
    keep_going: Callable[[], bool] = lambda: True,
    allowed: Tensor | None = None,
) -> list[Trigger]:
    """The triggers with the highest margin that a mask up to ``growth`` times as large allows.

    The search of eq. 3 ends at the smallest mask that just works on the optimisation half; on other pictures that
    border case fails a little more often, which says something about the search and nothing about the model. Here the
    cross entropy is minimised inside the larger budget. A trigger that cannot be improved, or for which there is no
    time (``keep_going`` is asked before every step), is returned as it came.

    Args:
        allowed: (1, 1, H, W) 1 where the masks may be, 0 where they may not; None for everywhere.
    """
    with side_by_side(str(victims.images.device)) as (run_all, _):
        one = partial(_strengthen_one, logits, victims, s=settings, keep_going=keep_going, allowed=allowed)
        return list(run_all(one, triggers))


def _strengthen_one(
    logits: Callable[[Tensor], Tensor],
    victims: Victims,
    trigger: Trigger,
    s: StrengthenSettings,
    keep_going: Callable[[], bool],
    allowed: Tensor | None,
) -> Trigger:
    def shape() -> Tensor:
        return squash(mask) if inside is None else squash(mask) * inside

    device = victims.images.device
    inside = None if allowed is None else allowed.to(device)
    mask = unsquash(torch.from_numpy(trigger.mask)[None, None]).to(device).requires_grad_()
    pattern = unsquash(torch.from_numpy(trigger.pattern)[None]).to(device).requires_grad_()
    adam, alone = Adam([mask, pattern], s.lr), torch.zeros(1, dtype=torch.int64, device=device)
    random = torch.Generator().manual_seed(trigger.seed)
    budget, best, lowest = trigger.size * trigger.mask.size * s.growth, trigger, float("inf")
    for step in range(s.steps):
        if not keep_going():
            break
        index = torch.randperm(len(victims.images), generator=random)[: s.batch].to(device)
        error = _error(logits, victims.images[index], shape(), squash(pattern), trigger.target)
        # Less than all of the budget, so that it ends inside.
        excess = torch.relu(mask_size(shape(), trigger.norm)[0] / budget - 0.98)
        adam.step(torch.autograd.grad(error + 10 * excess, [mask, pattern]), alone)
        if (step + 1) % s.check_every == 0 and mask_size(shape(), trigger.norm)[0] <= budget:
            candidate, error_now = _look(logits, victims, shape(), squash(pattern), trigger)
            if candidate.search_asr >= trigger.search_asr and error_now < lowest:
                best, lowest = candidate, error_now
            if lowest < s.sure:
                break
    return best


def _error(logits: Callable[[Tensor], Tensor], images: Tensor, mask: Tensor, pattern: Tensor, target: int) -> Tensor:
    out = logits(stamp(images, mask, pattern)[0])
    return cross_entropy(out, torch.full((len(out),), target, device=out.device))


@torch.no_grad()
def _look(
    logits: Callable[[Tensor], Tensor], victims: Victims, mask: Tensor, pattern: Tensor, trigger: Trigger
) -> tuple[Trigger, float]:
    """The trigger as it stands now with its attack success, and its mean cross entropy on the whole half."""
    parts = torch.split(victims.images, PICTURES)
    out = torch.cat([logits(stamp(x, mask, pattern)[0]) for x in parts])
    target = torch.tensor([trigger.target], device=out.device)
    asr = float(victims.success(out.argmax(-1)[None], target)[0])
    error = float(cross_entropy(out, target.expand(len(out))))
    arrays = (p[0].detach().cpu().numpy().astype(np.float32) for p in (mask, pattern))
    new_mask, new_pattern = arrays
    return replace(trigger, mask=new_mask[0], pattern=new_pattern, search_asr=asr, minimal=trigger.smallest), error
