"""How far any input at all can push each class ahead of the others: no data, no trigger, a handful of passes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .adam import Adam
from .parallel import side_by_side

__all__ = ["largest_margins"]


def largest_margins(
    logits: Callable[[Tensor], Tensor],
    shape: tuple[int, ...],
    targets: Tensor,
    *,
    starts: int = 2,
    steps: int = 10,
    lr: float = 0.1,
    passes: int = 128,
    seed: int = 0,
    keep_going: Callable[[float], bool] = lambda fraction: True,
) -> Tensor:
    """The largest margin found, (T,), of each target's logit over the best other one, over inputs in [0, 1].

    A backdoor's target has been trained to win against every other class at once, which few inputs of a clean class
    do. Inputs start as noise, each start darker than the one before (some networks are dead under noise of full
    strength, and leave no way to most classes), and follow the gradient of the margin.

    Args:
        logits: (N, C, H, W) in [0, 1] to (N, K), differentiable.
        shape: (C, H, W).
        targets: (T,) classes.
        starts: inputs for each class.
        steps: of Adam on each.
        lr: its learning rate, in units of the input's range.
        passes: inputs in one forward pass.
        seed: of the noise.
        keep_going: told the fraction done; False ends it, and leaves NaN for the targets that were not finished.

    Source: Wang et al. 2024, "MM-BD: Post-Training Detection of Backdoor Attacks with Arbitrary Backdoor Pattern Types
    Using a Maximum Margin Statistic", section 4; theirs runs to convergence from 30 starts.
    """
    noise = torch.rand(starts, *shape, generator=torch.Generator().manual_seed(seed))
    noise *= torch.arange(starts, 0, -1).view(-1, *[1] * len(shape)) / starts
    noise = noise.to(targets.device)
    parts = torch.split(targets, max(1, passes // starts))
    done = 0

    def climb(part: Tensor) -> Tensor:
        nonlocal done
        if not keep_going(done / len(parts)):
            return torch.full((len(part),), torch.nan, device=part.device)
        found = _climb(logits, noise, part, steps, lr)
        done += 1
        return found

    with side_by_side(str(targets.device)) as (run_all, _):
        return torch.cat(list(run_all(climb, parts)))


def _climb(logits: Callable[[Tensor], Tensor], noise: Tensor, targets: Tensor, steps: int, lr: float) -> Tensor:
    x = noise.repeat(len(targets), *[1] * (noise.dim() - 1))
    wanted = targets.repeat_interleave(len(noise))
    adam, rows = Adam([x], lr), torch.arange(len(x), device=x.device)
    best = torch.full((len(x),), -torch.inf, device=x.device)
    for _ in range(steps):
        x.requires_grad_()
        margin = _margin(logits(x), wanted)
        (gradient,) = torch.autograd.grad(-margin.sum(), x)
        best = torch.maximum(best, margin.detach())
        x = x.detach()
        adam.parameters = (x,)
        adam.step([gradient], rows)
        x.clamp_(0, 1)
    with torch.no_grad():
        best = torch.maximum(best, _margin(logits(x), wanted))
    return best.view(-1, len(noise)).amax(1)


def _margin(out: Tensor, wanted: Tensor) -> Tensor:
    own = out.gather(1, wanted[:, None])[:, 0]
    return own - out.scatter(1, wanted[:, None], -torch.inf).amax(1)
