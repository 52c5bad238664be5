"""Masks and patterns of many searches on their way down the gradient, all in the same forward passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ..kernels.stamp import stamp
from .adam import Adam
from .mask_size import MaskNorm, mask_size
from .parallel import Map
from .victims import Victims

__all__ = ["Descent", "Logits", "Step", "squash", "unsquash"]

Logits = Callable[[Tensor], Tensor]


class Step(NamedTuple):
    """What one step saw, for each of the L searches that took it.

    Attributes:
        error: (L,) mean cross entropy of the target.
        hits: (L,) pictures turned, of those that count.
        counted: (L,) pictures that are not of the target class anyway.
    """

    error: Tensor
    hits: Tensor
    counted: Tensor


class Descent:
    """R searches, each with a mask (1, H, W) and a pattern (C, H, W), and a class that it wants.

    Attributes:
        targets: (R,) the classes.
        mask: (R, 1, H, W) unconstrained; `squash` gives the mask.
        pattern: (R, C, H, W) likewise.
    """

    def __init__(
        self,
        logits: Logits,
        victims: Victims,
        targets: tuple[int, ...],
        seeds: tuple[int, ...],
        *,
        start: float,
        lr: float,
        passes: int,
        run_all: Map,
        workers: int,
        norm: MaskNorm = "l1",
        allowed: Tensor | None = None,
    ) -> None:
        """Begin R = seeds x targets searches, seed by seed.

        Args:
            logits: raw pictures (N, C, H, W) in [0, 1] to logits (N, K), differentiable.
            victims: the pictures.
            targets: classes.
            seeds: of the start and of the order of pictures.
            start: masks start uniform in [0, start].
            lr: Adam's.
            passes: pictures in one forward pass.
            run_all: the map that works on pieces side by side.
            workers: how many it works on at once.
            norm: what the size of a mask is.
            allowed: (targets, 1, H, W) 1 where each target's mask may be, 0 where it may not; None for everywhere.
        """
        self.logits, self.victims = logits, victims
        self.run_all, self.workers, self.passes, self.norm = run_all, workers, passes, norm
        images = victims.images
        self._images = images.contiguous(memory_format=torch.channels_last)  # convolutions run faster so
        self.targets = torch.tensor(targets, device=images.device).repeat(len(seeds))
        self.seed_of = torch.arange(len(seeds)).repeat_interleave(len(targets))
        self._random = [torch.Generator().manual_seed(seed) for seed in seeds]
        # One start for all classes of a seed: then the sizes that they end with differ by class, not by luck.
        self.mask = self._drawn(start, 1, *images.shape[2:])
        self.pattern = self._drawn(1.0, *images.shape[1:])
        self._adam = Adam([self.mask, self.pattern], lr)
        self._allowed = None if allowed is None else allowed.to(images.device).repeat(len(seeds), 1, 1, 1)

    def masks(self, rows: Tensor) -> Tensor:
        """(L, 1, H, W) the masks of these searches, in [0, 1]."""
        return self._confined(squash(self.mask[rows]), rows)

    def _confined(self, masks: Tensor, rows: Tensor) -> Tensor:
        return masks if self._allowed is None else masks * self._allowed[rows]

    def _drawn(self, largest: float, *shape: int) -> Tensor:
        """Unconstrained parameters (R, *shape) whose squashed values are uniform in [0, largest]."""
        uniform = torch.stack([torch.rand(shape, generator=g) for g in self._random])[self.seed_of]
        return unsquash(largest * uniform).to(self.victims.images.device)

    def step(self, live: Tensor, cost: Tensor, batch: int) -> Step:
        """One Adam step on CE + lambda |m| of the live searches (L,), on the next pictures of their seed.

        Args:
            live: (L,) the searches, in ascending order.
            cost: (R,) lambda.
            batch: pictures.
        """
        count = len(self.victims.images)
        order = torch.stack([torch.randperm(count, generator=g)[:batch] for g in self._random])
        index = order[self.seed_of].to(live.device)  # (R, B)
        parts = self._over(live, index.shape[1], lambda rows: self._gradients(rows, index[rows], cost[rows]))
        mask, pattern, *seen = (torch.cat(values) for values in zip(*parts, strict=True))
        self._adam.step([mask, pattern], live)
        return Step(*seen)

    def _gradients(self, rows: Tensor, index: Tensor, cost: Tensor) -> tuple[Tensor, ...]:
        """Gradients of these searches' losses on the pictures ``index`` (L, B), and what a `Step` holds."""
        parameters = [p[rows].requires_grad_() for p in (self.mask, self.pattern)]
        masks, patterns = self._confined(squash(parameters[0]), rows), squash(parameters[1])
        targets = self.targets[rows]
        out = self.classify(index, masks, patterns)  # (L, B, K)
        wanted = targets.repeat_interleave(index.shape[1])
        error = cross_entropy(out.flatten(0, 1), wanted, reduction="none").view(index.shape).mean(1)
        loss = error + cost * mask_size(masks, self.norm)
        mask, pattern = torch.autograd.grad(loss.sum(), parameters)
        return mask, pattern, error.detach(), *self.victims.turned(out.argmax(-1), targets, index)

    def classify(self, index: Tensor, masks: Tensor, patterns: Tensor) -> Tensor:
        """Logits (L, n, K) of the pictures ``index`` (L, n) with L triggers on them."""
        stamped = stamp(self._images, masks, patterns, index, channels_last=True)
        return self.logits(stamped.flatten(0, 1)).reshape(*index.shape, -1)

    def each(self, rows: Tensor, pictures: int, work: Callable[[Tensor], None]) -> None:
        """Do something for searches (L,), in groups that fit one forward pass with so many pictures each.

        Where the device's memory does not do, it is done again in smaller groups; so it must bear being done twice.
        """
        self._over(rows, pictures, work)

    def _over(self, rows: Tensor, pictures: int, work: Callable[[Tensor], object]) -> Sequence[object]:
        while True:
            groups = self._groups(rows, pictures)
            try:
                return list(self.run_all(work, groups))
            except torch.OutOfMemoryError:
                if len(groups) == len(rows):  # one search at a time is the least there is
                    raise
            self.passes = max(1, self.passes // 2)  # outside the handler, whose traceback holds on to memory
            torch.cuda.empty_cache()

    def _groups(self, rows: Tensor, pictures: int) -> list[Tensor]:
        """The searches in groups that fit one forward pass, as many as keep every worker busy."""
        if not len(rows):
            return []
        fitting = -(-len(rows) * pictures // self.passes)
        groups = -(-fitting // self.workers) * self.workers
        return [g for g in rows.tensor_split(min(groups, len(rows))) if len(g)]


def squash(parameters: Tensor) -> Tensor:
    """The paper's tanh(a) / 2 + 1/2: unconstrained parameters to [0, 1]."""
    return torch.tanh(parameters) / 2 + 0.5


def unsquash(values: Tensor) -> Tensor:
    """The inverse of ``squash``, kept finite: values are moved to at least 1e-4 from 0 and 1."""
    return torch.logit(values, eps=1e-4) / 2
