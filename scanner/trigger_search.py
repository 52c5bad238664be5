"""Reverse-engineer the smallest trigger of every target class, all classes and seeds in one batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ..kernels.stamp import stamp
from .adam import Adam
from .best_triggers import BestTriggers
from .cost_schedule import CostSchedule
from .parallel import Map, side_by_side
from .triggers import Trigger
from .victims import Victims

__all__ = ["Found", "SearchSettings", "search_triggers", "squash", "unsquash"]

Logits = Callable[[Tensor], Tensor]


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
        initial_cost, multiplier, window: the cost schedule.
        check_every: steps between looks at the whole optimisation half, which alone decide what is the best mask.
        worth: a look is worth its pictures where the last steps succeeded with a mask of this share of the best one.
        early_stop_patience: looks without progress after which a settled search ends [early_stop_patience].
        micro_batch: most pictures in the forward passes that run at once; on a CPU more fall out of its caches.
    """

    steps: int = 200
    batch: int = 16
    lr: float = 0.2
    start: float = 0.2
    asr: float = 0.99
    initial_cost: float = 1e-3
    multiplier: float = 1.5
    window: int = 5
    check_every: int = 10
    worth: float = 0.95
    early_stop_patience: int = 8
    micro_batch: int = 128


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
) -> list[Found]:
    """The smallest trigger found for every (seed, target), seed by seed.

    Args:
        logits: raw pictures (N, C, H, W) in [0, 1] to logits (N, K), differentiable, weights frozen.
        victims: the optimisation half.
        targets: classes to search for.
        seeds: each gives every class one more independent start and order of pictures.
        keep_going: told the fraction done after every step; False ends the search with what there is.

    Source: Wang et al. 2019, eq. 3, solved for all targets at once.
    """
    with side_by_side(str(victims.images.device)) as (run_all, workers):
        search = _Search(logits, victims, targets, seeds, settings, run_all, workers)
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
    ) -> None:
        self.logits, self.victims, self.settings = logits, victims, s
        self.run_all, self.workers = run_all, workers
        self.passes = max(s.batch, s.micro_batch // workers)  # pictures in one forward pass
        images = victims.images
        self.device = str(images.device)
        rows = len(seeds) * len(targets)
        self.targets = torch.tensor(targets, device=self.device).repeat(len(seeds))
        self.seed_of = torch.arange(len(seeds)).repeat_interleave(len(targets))
        self.seeds = seeds
        self.random = [torch.Generator().manual_seed(seed) for seed in seeds]
        # One start for all classes of a seed: then the sizes that they end with differ by class, not by luck.
        _, channels, height, width = images.shape
        self.mask = self._random(s.start, 1, height, width)
        self.pattern = self._random(1.0, channels, height, width)
        self.adam = Adam([self.mask, self.pattern], s.lr)
        self.schedule = CostSchedule(rows, self.device, s.asr, s.initial_cost, s.multiplier, s.window)
        self.live = torch.arange(rows, device=self.device)
        self.best = BestTriggers(victims, self.targets, s.asr)
        self.idle_looks = torch.zeros(rows, device=self.device)

    def _random(self, largest: float, *shape: int) -> Tensor:
        """Unconstrained parameters (R, *shape) whose squashed values are uniform in [0, largest]."""
        uniform = torch.stack([torch.rand(shape, generator=g) for g in self.random])[self.seed_of]
        return unsquash(largest * uniform).to(self.device)

    def step(self) -> None:
        """One Adam step on CE + lambda |m|_1 of every live search, on the next pictures of its seed."""
        n = len(self.victims.images)
        order = torch.stack([torch.randperm(n, generator=g)[: self.settings.batch] for g in self.random])
        index = order[self.seed_of].to(self.device)  # (R, B)
        live = self.live
        work = lambda rows: self._gradients(rows, index[rows])  # noqa: E731
        parts = list(self.run_all(work, self._groups(live, index.shape[1])))  # in the order of the live searches
        mask, pattern, hits, counted = (torch.cat(values) for values in zip(*parts, strict=True))
        self.adam.step([mask, pattern], live)
        self.schedule.update(live, hits, counted)

    def _gradients(self, rows: Tensor, index: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Gradients of these searches' losses on the pictures ``index`` (L, B), and what ``turned`` says of them."""
        parameters = [p[rows].requires_grad_() for p in (self.mask, self.pattern)]
        masks, patterns = map(squash, parameters)
        targets = self.targets[rows]
        out = self._classify(stamp(self.victims.images[index], masks, patterns))  # (L, B, K)
        error = cross_entropy(out.flatten(0, 1), targets.repeat_interleave(index.shape[1]), reduction="none")
        size = masks.sum((1, 2, 3))
        loss = error.view(index.shape).mean(1) + self.schedule.cost[rows] * size
        mask, pattern = torch.autograd.grad(loss.sum(), parameters)
        return mask, pattern, *self.victims.turned(out.argmax(-1), targets, index)

    @torch.no_grad()
    def look(self, last: bool = False) -> None:
        """Keep every smaller mask that works on the whole half; drop searches that have settled and improve no more."""
        s, live, best = self.settings, self.live, self.best
        before = best.l1[live].clone()
        size = squash(self.mask[live]).sum((1, 2, 3))
        promising = (size < s.worth * before) & self.schedule.succeeded[live]
        smaller = live[(size < before) if last else promising]
        list(self.run_all(self._try, self._groups(smaller, len(self.victims.images))))
        better = best.l1[live] < 0.98 * before
        started = torch.isfinite(best.l1[live])
        self.idle_looks[live] = torch.where(better, 0, self.idle_looks[live] + started)
        done = (self.idle_looks[live] >= s.early_stop_patience) & self.schedule.settled[live]
        self.live = live[~done]

    @torch.no_grad()
    def _try(self, rows: Tensor) -> None:
        def classify(images: Tensor, masks: Tensor, patterns: Tensor) -> Tensor:
            return self._classify(stamp(images, masks, patterns)).argmax(-1)

        self.best.keep(rows, squash(self.mask[rows]), squash(self.pattern[rows]), classify, self.passes)

    def _classify(self, stamped: Tensor) -> Tensor:
        """Logits (L, n, K) of stamped pictures (L, n, C, H, W)."""
        flat = stamped.flatten(0, 1).contiguous(memory_format=torch.channels_last)  # convolutions run faster so
        return self.logits(flat).reshape(*stamped.shape[:2], -1)

    def _groups(self, rows: Tensor, pictures: int) -> list[Tensor]:
        """The searches in groups that fit one forward pass, as many as keep every worker busy."""
        if not len(rows):
            return []
        fitting = -(-len(rows) * pictures // self.passes)
        groups = -(-fitting // self.workers) * self.workers
        return [g for g in rows.tensor_split(min(groups, len(rows))) if len(g)]

    def found(self) -> Iterator[Found]:
        """How each search stands."""
        for row, settled in enumerate(self.schedule.settled.tolist()):
            yield Found(self._trigger(row) if torch.isfinite(self.best.l1[row]) else None, settled)

    def _trigger(self, row: int) -> Trigger:
        mask = self.best.mask[row, 0].cpu().numpy().astype(np.float32)
        pattern = self.best.pattern[row].cpu().numpy().astype(np.float32)
        seed = self.seeds[int(self.seed_of[row])]
        return Trigger(int(self.targets[row]), mask, pattern, seed, float(self.best.success[row]))


def squash(parameters: Tensor) -> Tensor:
    """The paper's tanh(a) / 2 + 1/2: unconstrained parameters to [0, 1]."""
    return torch.tanh(parameters) / 2 + 0.5


def unsquash(values: Tensor) -> Tensor:
    """The inverse of ``squash``, kept finite: values are moved to at least 1e-4 from 0 and 1."""
    return torch.logit(values, eps=1e-4) / 2
