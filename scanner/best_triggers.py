"""The smallest mask of each search that works on every picture, found with as few looks at pictures as possible."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .mask_size import MaskNorm, mask_size
from .victims import Victims

__all__ = ["BestTriggers"]

Classify = Callable[[Tensor, Tensor, Tensor], Tensor]

_FORGET = 0.8  # of what is remembered of a picture's misses, at each look: the trigger has changed meanwhile


class BestTriggers:
    """For each of R searches, its smallest mask so far whose attack success over all pictures is high enough.

    A candidate is tried on the pictures that missed lately first, and given up with the first miss too many: most
    candidates are a little too small and fail on a handful of pictures, always about the same ones.

    Attributes:
        size: (R,) of the best mask, in pixels; infinite before there is one.
        success: (R,) its attack success, in [0, 1].
        mask: (R, 1, H, W).
        pattern: (R, C, H, W).
    """

    def __init__(self, victims: Victims, targets: Tensor, asr: float, norm: MaskNorm = "l1") -> None:
        """Args: the pictures, the target (R,) of each search, the attack success asked for, and what size is."""
        images, rows = victims.images, len(targets)
        self._targets, self._norm = targets, norm
        self._misses = torch.zeros(rows, len(images), device=images.device)
        self._counts = victims.predicted != targets[:, None]  # (R, N); others are left out, and come last
        counted = self._counts.sum(1)
        self._allowed = torch.floor((1 - asr) * counted + 1e-4)
        self._counted = counted.clamp(min=1)
        self.size = torch.full((rows,), torch.inf, device=images.device)
        self.success = torch.zeros(rows, device=images.device)
        self.mask = torch.zeros(rows, 1, *images.shape[2:], device=images.device)
        self.pattern = torch.zeros(rows, *images.shape[1:], device=images.device)

    def note(self, rows: Tensor, index: Tensor, missed: Tensor) -> None:
        """Remember which of the pictures ``index`` (L, n) the triggers of these searches missed (L, n)."""
        self._misses[rows[:, None], index] += missed.float()

    def keep(self, rows: Tensor, masks: Tensor, patterns: Tensor, classify: Classify, pictures: int) -> None:
        """Try masks and patterns of these searches on all pictures, and keep those that work.

        Args:
            rows: (L,) searches; no two calls at the same time may share one.
            masks: (L, 1, H, W).
            patterns: (L, C, H, W).
            classify: which pictures (L, n), masks and patterns to the classes (L, n) of those stamped.
            pictures: that many in one forward pass at most.
        """
        order = (self._misses[rows] + self._counts[rows]).argsort(dim=1, descending=True, stable=True)
        order = order[:, : int(self._counted[rows].max())]
        self._misses[rows] *= _FORGET
        misses = torch.zeros(len(rows), device=rows.device)
        going = torch.arange(len(rows), device=rows.device)
        done = 0
        while done < order.shape[1] and len(going):
            size = min(self._portion(done), max(1, pictures // len(going)))
            index = order[going, done : done + size]
            mine = rows[going]
            classes = classify(index, masks[going], patterns[going])
            missed = (classes != self._targets[mine][:, None]) & self._counts[mine[:, None], index]
            self.note(mine, index, missed)
            misses[going] += missed.sum(1)
            done += index.shape[1]
            going = going[misses[going] <= self._allowed[mine]]
        self._store(rows[going], masks[going], patterns[going], misses[going])

    def _portion(self, done: int) -> int:
        """Few pictures at first, where most candidates fail, then as many as fit."""
        return 16 if done < 32 else 1 << 30

    def _store(self, rows: Tensor, masks: Tensor, patterns: Tensor, misses: Tensor) -> None:
        self.size[rows] = mask_size(masks, self._norm)
        self.success[rows] = 1 - misses / self._counted[rows]
        self.mask[rows], self.pattern[rows] = masks, patterns
