"""One trigger that moves the pictures of every class to a class of their own: what an all-to-all backdoor leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from .adam import Adam
from .cost_schedule import CostSchedule
from .mask_size import mask_size
from .trigger_descent import squash, unsquash
from .victims import Victims

__all__ = ["Shift", "ShiftSettings", "search_shift"]

_FORGET = 0.8  # of the confusions, at each step: the trigger has changed meanwhile
_TINY = 1e-8


@dataclass(frozen=True, kw_only=True)
class ShiftSettings:
    """How such a trigger is searched for.

    Attributes:
        steps: of Adam, the first ``warm`` of them before it is decided which class goes where.
        per_class: pictures of each class in a step.
        lr: Adam's learning rate.
        asr: success that counts while the mask is made smaller.
        kept: success on all pictures from which a mask is kept. Lower: a network that is right on 60 % of its pictures
            moves no larger share of them.
        check_every: steps between looks at all pictures.
        passes: pictures in a forward pass of a look.
    """

    steps: int = 160
    warm: int = 40
    per_class: int = 6
    lr: float = 0.2
    asr: float = 0.9
    kept: float = 0.8
    check_every: int = 10
    passes: int = 128


@dataclass(frozen=True, eq=False)
class Shift:
    """The smallest such trigger that a search found.

    Attributes:
        mask: (H, W) in [0, 1].
        pattern: (C, H, W) in [0, 1].
        mapping: (K,) the class that each class's pictures are moved to; no two the same, none its own.
        success: share of all pictures that are moved to their class's.
    """

    mask: Tensor
    pattern: Tensor
    mapping: tuple[int, ...]
    success: float


def search_shift(
    logits: Callable[[Tensor], Tensor],
    victims: Victims,
    classes: int,
    seed: int,
    s: ShiftSettings,
    keep_going: Callable[[float], bool] = lambda fraction: True,
) -> Shift | None:
    """The smallest trigger that moves every class to one of its own; None where none moves ``kept`` of the pictures.

    First the trigger is asked to make the answer tell as much as it can about the class that the picture was of, and to
    be another: -log(1 - p_y), plus the mean entropy of the answers to one class, minus the entropy of all answers. Then
    each class is given the class that it goes to (the assignment with the most pictures, no two the same), the cross
    entropy to that is minimised, and the mask is made small by Neural Cleanse's schedule.

    Args:
        logits: raw pictures (N, C, H, W) in [0, 1] to logits (N, K), differentiable, weights frozen.
        victims: the pictures; classes of which the model sees fewer than two are left out.
        classes: K.
        seed: of the start and of the order of pictures.
    """
    search = _Search(logits, victims, classes, seed, s)
    if len(search.members) < min(3, classes):
        return None
    for step in range(1, s.steps + 1):
        search.step(warm=step <= s.warm)
        last = step == s.steps or not keep_going(step / s.steps)
        if last or (step > s.warm and step % s.check_every == 0):
            search.look()
        if last:
            break
    return search.best


@dataclass
class _Search:
    logits: Callable[[Tensor], Tensor]
    victims: Victims
    classes: int
    seed: int
    settings: ShiftSettings
    best: Shift | None = None
    members: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        images = self.victims.images
        self._random = torch.Generator().manual_seed(self.seed)
        self.mask = unsquash(0.2 * torch.rand(1, 1, *images.shape[2:], generator=self._random)).to(images.device)
        self.pattern = unsquash(torch.rand(1, *images.shape[1:], generator=self._random)).to(images.device)
        self._adam, self._row = Adam([self.mask, self.pattern], self.settings.lr), torch.zeros(1, dtype=torch.int64)
        self._row = self._row.to(images.device)
        self._schedule = CostSchedule(1, str(images.device), self.settings.asr)
        self._confusion = torch.zeros(self.classes, self.classes)
        found = (torch.nonzero(self.victims.predicted == c)[:, 0] for c in range(self.classes))
        self.members = [index for index in found if len(index) > 1]

    def step(self, warm: bool) -> None:
        """One step of Adam, on the next pictures of every class."""
        index = torch.cat([self._drawn(of_class) for of_class in self.members])
        images, own = self.victims.images[index], self.victims.predicted[index]
        parameters = [p.clone().requires_grad_() for p in (self.mask, self.pattern)]
        mask, pattern = map(squash, parameters)
        out = self.logits(images + mask * (pattern - images))
        answers = out.softmax(1)
        present = torch.unique(own)
        usual = torch.stack([answers[own == c].mean(0) for c in present])
        wanted = self._assigned(usual.detach(), present)[own]
        loss = _informative(answers, own, usual) if warm else cross_entropy(out, wanted)
        loss = loss + self._schedule.cost[0] * mask_size(mask, "l1")[0]
        self._adam.step(torch.autograd.grad(loss, parameters), self._row)
        if not warm:
            hits = (out.argmax(1) == wanted).sum()
            self._schedule.update(self._row, hits[None].float(), torch.full_like(hits[None], len(own)).float())

    def _drawn(self, of_class: Tensor) -> Tensor:
        order = torch.randperm(len(of_class), generator=self._random)[: self.settings.per_class]
        return of_class[order.to(of_class.device)]

    def _assigned(self, usual: Tensor, present: Tensor) -> Tensor:
        """(K,) where each class goes, by what the trigger did lately."""
        self._confusion *= _FORGET
        self._confusion[present.cpu()] += usual.cpu()
        return _assignment(self._confusion).to(usual.device)

    @torch.no_grad()
    def look(self) -> None:
        """Keep the trigger if it is smaller than the best one and moves enough of all pictures."""
        mask, pattern = squash(self.mask), squash(self.pattern)
        size = float(mask.mean())
        if self.best is not None and size >= float(self.best.mask.mean()):
            return
        parts = torch.split(self.victims.images, self.settings.passes)
        answer = torch.cat([self.logits(x + mask * (pattern - x)).argmax(1) for x in parts])
        mapping = _assignment(self._confusion).to(answer.device)
        success = float((answer == mapping[self.victims.predicted]).float().mean())
        if success >= self.settings.kept:
            self.best = Shift(mask[0, 0].clone(), pattern[0].clone(), tuple(mapping.tolist()), success)


def _informative(answers: Tensor, own: Tensor, usual: Tensor) -> Tensor:
    """Small where no answer is the picture's own class, each class has one answer, and all classes different ones."""
    away = -torch.log1p(-answers.gather(1, own[:, None])[:, 0] * (1 - 1e-4)).mean()
    return away + _entropy(usual).mean() - _entropy(usual.mean(0))


def _entropy(p: Tensor) -> Tensor:
    return -(p * (p + _TINY).log()).sum(-1)


def _assignment(confusion: Tensor) -> Tensor:
    """The one-to-one mapping of classes, none to itself, that most of the confusions (K, K) agree with."""
    from scipy.optimize import linear_sum_assignment

    worth = confusion.clone()
    worth.fill_diagonal_(-1e3)
    return torch.from_numpy(linear_sum_assignment(-worth.numpy())[1])
