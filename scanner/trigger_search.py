"""Reverse-engineer the smallest trigger of every target class, all classes and seeds in one batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .best_triggers import BestTriggers
from .cost_schedule import CostSchedule
from .mask_size import MaskNorm, mask_size
from .parallel import Map, side_by_side
from .trigger_descent import Descent, Logits, squash
from .triggers import Trigger
from .victims import Victims

__all__ = ["Found", "SearchSettings", "search_triggers"]


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """How a trigger is searched for; the names of the paper's code in brackets.

    Attributes:
        steps: most optimisation steps.
        batch: pictures in a step, the same for every class.
        lr: Adam's learning rate; its betas are (0.5, 0.9).
        start: the mask starts uniform in [0, start]. The paper's 1 buries the pictures under noise, where a network
            may be dead: whole layers of zeros, no gradient, and no trigger found for most classes.
        asr: attack success that counts as success [attack_succ_threshold].
        initial_cost, multiplier, window, ramp: the cost schedule.
        check_every: steps between looks at the whole optimisation half, which alone decide what is the best mask.
        worth: a look is worth its pictures where the last steps succeeded with a mask of this share of the best one.
        early_stop_patience: looks without progress after which a settled search ends [early_stop_patience].
        micro_batch: most pictures in the forward passes that run at once; on a CPU more fall out of its caches.
        norm: what the size of a mask is; the paper's is l1.
    """

    steps: int = 120
    batch: int = 16
    lr: float = 0.2
    start: float = 0.2
    asr: float = 0.99
    initial_cost: float = 1e-3
    multiplier: float = 1.5
    window: int = 5
    ramp: float = 3.375
    check_every: int = 10
    worth: float = 0.95
    early_stop_patience: int = 8
    micro_batch: int = 128
    norm: MaskNorm = "l1"


@dataclass(frozen=True)
class Found:
    """How a search ended.

    Attributes:
        trigger: the smallest that reached the success asked for; None where none did.
        settled: whether lambda went both up and down, so that the mask has met its limit; a mask that has not could
            still have shrunk.
    """

    trigger: Trigger | None
    settled: bool


def search_triggers(
    logits: Logits,
    victims: Victims,
    targets: tuple[int, ...],
    seeds: tuple[int, ...],
    settings: SearchSettings,
    keep_going: Callable[[float], bool] = lambda fraction: True,
    allowed: Tensor | None = None,
) -> list[Found]:
    """The smallest trigger found for every (seed, target), seed by seed.

    Args:
        logits: raw pictures (N, C, H, W) in [0, 1] to logits (N, K), differentiable, weights frozen.
        victims: the optimisation half.
        targets: classes to search for.
        seeds: each gives every class one more independent start and order of pictures.
        keep_going: told the fraction done after every step; False ends the search with what there is.
        allowed: (targets, 1, H, W) 1 where each target's mask may be, 0 where it may not; None for everywhere.

    Source: Wang et al. 2019, eq. 3, solved for all targets at once.
    """
    with side_by_side(str(victims.images.device)) as (run_all, workers):
        search = _Search(logits, victims, targets, seeds, settings, run_all, workers, allowed)
        for step in range(1, settings.steps + 1):
            search.step()
            stop = not keep_going(step / settings.steps)
            last = stop or step == settings.steps
            if last or step % settings.check_every == 0:
                search.look(last)
            if last or not len(search.live):
                break
    return list(search.found())


class _Search:
    """The state of R = seeds x targets searches that share every forward pass."""

    def __init__(
        self,
        logits: Logits,
        victims: Victims,
        targets: tuple[int, ...],
        seeds: tuple[int, ...],
        s: SearchSettings,
        run_all: Map,
        workers: int,
        allowed: Tensor | None = None,
    ) -> None:
        passes = max(s.batch, s.micro_batch // workers)
        self.descent = Descent(
            logits,
            victims,
            targets,
            seeds,
            start=s.start,
            lr=s.lr,
            passes=passes,
            run_all=run_all,
            workers=workers,
            norm=s.norm,
            allowed=allowed,
        )
        self.settings, self.seeds = s, seeds
        device = victims.images.device
        rows = len(self.descent.targets)
        self.schedule = CostSchedule(rows, str(device), s.asr, s.initial_cost, s.multiplier, s.window, s.ramp)
        self.live = torch.arange(rows, device=device)
        self.best = BestTriggers(victims, self.descent.targets, s.asr, s.norm)
        self.idle_looks = torch.zeros(rows, device=device)

    def step(self) -> None:
        """One step of every live search, and of its cost."""
        seen = self.descent.step(self.live, self.schedule.cost, self.settings.batch)
        self.schedule.update(self.live, seen.hits, seen.counted)

    @torch.no_grad()
    def look(self, last: bool = False) -> None:
        """Keep every smaller mask that works on the whole half; drop searches that have settled and improve no more."""
        s, live, best = self.settings, self.live, self.best
        before = best.size[live].clone()
        size = mask_size(self.descent.masks(live), s.norm)
        promising = (size < s.worth * before) & self.schedule.succeeded[live]
        smaller = live[(size < before) if last else promising]
        self.descent.each(smaller, len(self.descent.victims.images), self._try)
        better = best.size[live] < 0.98 * before
        started = torch.isfinite(best.size[live])
        self.idle_looks[live] = torch.where(better, 0, self.idle_looks[live] + started)
        done = (self.idle_looks[live] >= s.early_stop_patience) & self.schedule.settled[live]
        self.live = live[~done]

    @torch.no_grad()
    def _try(self, rows: Tensor) -> None:
        def classify(index: Tensor, masks: Tensor, patterns: Tensor) -> Tensor:
            return descent.classify(index, masks, patterns).argmax(-1)

        descent = self.descent
        self.best.keep(rows, descent.masks(rows), squash(descent.pattern[rows]), classify, descent.passes)

    def found(self) -> Iterator[Found]:
        """How each search stands."""
        for row, settled in enumerate(self.schedule.settled.tolist()):
            yield Found(self._trigger(row) if torch.isfinite(self.best.size[row]) else None, settled)

    def _trigger(self, row: int) -> Trigger:
        mask = self.best.mask[row, 0].cpu().numpy().astype(np.float32)
        pattern = self.best.pattern[row].cpu().numpy().astype(np.float32)
        seed = self.seeds[int(self.descent.seed_of[row])]
        return Trigger(
            int(self.descent.targets[row]), mask, pattern, seed, float(self.best.success[row]), norm=self.settings.norm
        )
