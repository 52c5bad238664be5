"""Neural Cleanse as it is usually run, what ours is timed against: class after class, a plain loop over epochs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice, repeat

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

__all__ = ["Loop", "PeerTrigger", "peer_search"]

_EPSILON = 1e-7


@dataclass(frozen=True, kw_only=True)
class Loop:
    """The schedule; defaults are those that the public implementations share.

    Attributes:
        epochs: most passes over all pictures; the authors' "steps".
        batch: pictures in a step of Adam.
        lr: its learning rate; betas are (0.5, 0.9).
        asr: attack success over an epoch that counts as success.
        initial_cost: first weight of the mask's size.
        multiplier: it is multiplied by this after ``patience`` successes and divided by its power 1.5 after as many
            failures.
        patience: epochs.
        early_stop_patience: epochs without a smaller mask after which the class is done, once the weight has gone up
            and down.
        updates: steps of Adam in an epoch, over shuffled pass after pass; 0 for one pass over all pictures.
        keep_last: whether a class for which no epoch succeeded ends with its last mask, as in the authors' code.
    """

    epochs: int = 80
    batch: int = 64
    lr: float = 0.1
    asr: float = 0.99
    initial_cost: float = 1e-3
    multiplier: float = 1.5
    patience: int = 5
    early_stop_patience: int = 25
    updates: int = 0
    keep_last: bool = False


@dataclass(frozen=True, eq=False)
class PeerTrigger:
    """What the loop ends with: mask (1, H, W), pattern (C, H, W), and the attack success while it was found."""

    mask: Tensor
    pattern: Tensor
    success: float

    @property
    def l1(self) -> float:
        """Sum of the mask, in pixels."""
        return float(self.mask.sum())


def peer_search(
    logits: Callable[[Tensor], Tensor], images: Tensor, target: int, loop: Loop, seed: int = 0
) -> PeerTrigger | None:
    """The smallest mask seen in an epoch whose running attack success was high enough.

    None where there was no such epoch, or the last mask with ``keep_last``.

    Args:
        logits: raw pictures (N, C, H, W) in [0, 1] to logits (N, K), weights frozen.
        images: all of them are turned, those of the target class too, as in the authors' code.
        target: the class.
        loop: schedule.
        seed: of the start and of the order of pictures.

    Source: Wang et al. 2019, section V-A, and the authors' code.
    """
    random = torch.Generator().manual_seed(seed)
    _, channels, height, width = images.shape
    start = [torch.rand(shape, generator=random) for shape in ((1, height, width), (channels, height, width))]
    raw = [torch.atanh((v - 0.5) * (2 - _EPSILON)).to(images.device).requires_grad_() for v in start]
    adam = torch.optim.Adam(raw, lr=loop.lr, betas=(0.5, 0.9))
    best: PeerTrigger | None = None
    last: PeerTrigger | None = None
    cost = _Cost(loop)
    for _ in range(loop.epochs):
        success = _epoch(logits, images, raw, adam, target, cost.value, loop, random)
        mask, pattern = (_squash(v).detach() for v in raw)
        last = PeerTrigger(mask, pattern, success)
        better = success >= loop.asr and (best is None or last.l1 < best.l1)
        if better:
            best = last
        if cost.finished(better, best is not None):
            break
        cost.update(success)
    return last if best is None and loop.keep_last else best


def _epoch(
    logits: Callable[[Tensor], Tensor],
    images: Tensor,
    raw: list[Tensor],
    adam: torch.optim.Optimizer,
    target: int,
    cost: float,
    loop: Loop,
    random: torch.Generator,
) -> float:
    """One pass over all pictures, or as many steps as asked for; the mean attack success while it went on."""
    hits = seen = 0
    for index in _batches(len(images), loop, random):
        mask, pattern = map(_squash, raw)
        x = images[index.to(images.device)]
        out = logits(x * (1 - mask) + mask * pattern)
        wanted = torch.full((len(x),), target, device=x.device)
        loss = cross_entropy(out, wanted) + cost * mask.sum()
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
        hits += int((out.argmax(1) == target).sum())
        seen += len(x)
    return hits / seen


def _batches(count: int, loop: Loop, random: torch.Generator) -> Iterator[Tensor]:
    passes = (torch.split(torch.randperm(count, generator=random), loop.batch) for _ in repeat(None))
    return islice(chain.from_iterable(passes), loop.updates or -(-count // loop.batch))


def _squash(raw: Tensor) -> Tensor:
    return torch.tanh(raw) / (2 - _EPSILON) + 0.5


class _Cost:
    """The weight of the mask's size, and whether the search has come to its end."""

    def __init__(self, loop: Loop) -> None:
        self.value, self._loop = 0.0, loop
        self._successes = self._failures = self._idle = 0
        self._raised = self._lowered = False

    def update(self, success: float) -> None:
        """Note an epoch's attack success; after enough of a kind in a row the weight moves."""
        loop, good = self._loop, success >= self._loop.asr
        self._successes, self._failures = (self._successes + 1, 0) if good else (0, self._failures + 1)
        if self.value == 0:
            if self._successes >= loop.patience:
                self.value, self._successes, self._failures = loop.initial_cost, 0, 0
                self._raised = self._lowered = False
        elif self._successes >= loop.patience:
            self.value, self._successes, self._raised = self.value * loop.multiplier, 0, True
        elif self._failures >= loop.patience:
            self.value, self._failures, self._lowered = self.value / loop.multiplier**1.5, 0, True

    def finished(self, better: bool, any_yet: bool) -> bool:
        """Whether nothing has improved for long enough, once the weight has gone both up and down."""
        self._idle = 0 if better or not any_yet else self._idle + 1
        return self._raised and self._lowered and self._idle >= self._loop.early_stop_patience
