"""Which of very many classes are worth a full search, and which stand for the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .margins import largest_margins
from .parallel import side_by_side
from .trigger_descent import Descent, Logits, squash
from .victims import Victims

__all__ = ["Screen", "ScreenSettings", "screen"]


@dataclass(frozen=True, kw_only=True)
class ScreenSettings:
    """How classes are looked over before a few of them are searched.

    Attributes:
        steps, batch, lr, start: of the short descent that every class gets.
        cost: weight of the mask in it, as the cross entropy that the whole picture costs.
        suspects: classes that each of the three statistics names.
        controls: classes drawn at random, which are searched in full to say what is usual; 20 from 100 classes on, and
            14 below, so that 43 classes cost less than three times as much as ten.
        block: classes that descend together: what bounds the memory however many classes there are.
        micro_batch: pictures in the forward passes that run at once.
    """

    steps: int = 30
    batch: int = 8
    lr: float = 0.2
    start: float = 0.2
    cost: float = 20.0
    suspects: int = 4
    controls: int | None = None
    block: int = 128
    micro_batch: int = 128

    def drawn(self, classes: int) -> int:
        """How many controls there are among K classes."""
        return min(classes, self.controls or (14 if classes < 100 else 20))


@dataclass(frozen=True)
class Screen:
    """The classes to search.

    Attributes:
        suspects: nominated by a statistic, in ascending order.
        controls: drawn at random from all classes, suspects included, in ascending order.
    """

    suspects: tuple[int, ...]
    controls: tuple[int, ...]

    @property
    def chosen(self) -> tuple[int, ...]:
        """All of them, in ascending order."""
        return tuple(sorted({*self.suspects, *self.controls}))


def screen(
    logits: Logits,
    victims: Victims,
    classes: int,
    seed: int,
    settings: ScreenSettings,
    keep_going: Callable[[float], bool] = lambda fraction: True,
) -> Screen:
    """Nominate classes by three cheap statistics that fail on different attacks, and draw controls.

    The statistics: what a short descent reaches at a fixed price of the mask; the largest margin of any input
    (`largest_margins`); and how often clean pictures of other classes have the class among their ten best scores.

    Args:
        logits: raw pictures (N, C, H, W) in [0, 1] to logits (N, K), differentiable.
        victims: the pictures.
        classes: K.
        seed: of everything random.
        settings: see there.
        keep_going: told the fraction done; False ends the screen with what the finished statistics nominate.

    Source: the frequency is K-Arm's (Shen et al. 2021, section 3.2), the margin MM-BD's.
    """
    device = victims.images.device
    drawn = np.random.default_rng(seed).choice(classes, settings.drawn(classes), replace=False)
    nominated = set(_largest(_near_misses(logits, victims, classes, settings.micro_batch), settings.suspects))
    shape = tuple(victims.images.shape[1:])
    every = torch.arange(classes, device=device)
    if keep_going(0.0):
        margins = largest_margins(logits, shape, every, passes=settings.micro_batch, seed=seed)
        nominated.update(_largest(margins, settings.suspects))
    nominated.update(_largest(-_descended(logits, victims, classes, seed, settings, keep_going), settings.suspects))
    return Screen(tuple(sorted(nominated)), tuple(sorted(int(c) for c in drawn)))


def _largest(values: Tensor, count: int) -> list[int]:
    finite = torch.nan_to_num(values, nan=-torch.inf, neginf=-torch.inf)
    best: list[int] = finite.topk(min(count, len(values))).indices.tolist()
    return [c for c in best if bool(finite[c] > -torch.inf)]


@torch.no_grad()
def _near_misses(logits: Logits, victims: Victims, classes: int, passes: int) -> Tensor:
    """(K,) how many pictures of other classes have the class among their best scores (ten, or a quarter)."""
    out = torch.cat([logits(part) for part in torch.split(victims.images, passes)])
    best = out.topk(min(10, -(-classes // 4)), dim=1).indices
    others = best != victims.predicted[:, None]
    return torch.bincount(best[others], minlength=classes).float()


def _descended(
    logits: Logits,
    victims: Victims,
    classes: int,
    seed: int,
    s: ScreenSettings,
    keep_going: Callable[[float], bool],
) -> Tensor:
    """(K,) cross entropy and price of the mask over the last steps of a short descent; inf where there was no time."""
    price = s.cost / victims.images[0, 0].numel()
    reached = torch.full((classes,), torch.inf, device=victims.images.device)
    with side_by_side(str(victims.images.device)) as (run_all, workers):
        for first in range(0, classes, s.block):
            targets = tuple(range(first, min(first + s.block, classes)))
            descent = Descent(
                logits, victims, targets, (seed,), start=s.start, lr=s.lr,
                passes=max(s.batch, s.micro_batch // workers), run_all=run_all, workers=workers,
            )  # fmt: skip
            live = torch.arange(len(targets), device=reached.device)
            cost = torch.full((len(targets),), price, device=reached.device)
            errors = []
            for step in range(s.steps):
                if not keep_going((first + (step + 1) / s.steps * len(targets)) / classes):
                    return reached
                errors.append(descent.step(live, cost, s.batch).error)
            late = torch.stack(errors[-s.steps // 3 :]).mean(0)
            reached[first : first + len(targets)] = late + price * squash(descent.mask).sum((1, 2, 3))
    return reached
