"""What both searches are asked: a model, and pictures to turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import thread_time

import torch
from torch import Tensor

from ...converters import open_model
from ...scanner import victims
from ...scanner.domain_search import find_domain
from ...scanner.errors import OptionError
from ...scanner.images import load_images

__all__ = ["Question", "question"]


@dataclass(eq=False)
class Question:
    """A model as a function of raw pictures that counts what passes through it, and the pictures to turn."""

    network: Callable[[Tensor], Tensor]
    victims: victims.Victims
    classes: int
    name: str = ""
    forward: int = field(default=0, init=False)
    backward: int = field(default=0, init=False)
    seconds: dict[str, float] | None = field(default=None, init=False)
    """CPU time of the network's passes by kind, where it is asked for: a dictionary set before a search."""

    def logits(self, pictures: Tensor) -> Tensor:
        """Logits (N, K) of raw pictures; those whose gradient will be asked for count as backward passes, too."""
        gradient = torch.is_grad_enabled() and pictures.requires_grad
        self.forward += len(pictures)
        self.backward += len(pictures) if gradient else 0
        if self.seconds is None:
            return self.network(pictures)
        started = thread_time()
        out = self.network(pictures)
        self._spent("forward" if gradient else "looks", started)
        if gradient:
            self._time_backward(pictures, out)
        return out

    def _time_backward(self, pictures: Tensor, out: Tensor) -> None:
        """Count the time from when the gradient comes to the logits until it leaves the pictures."""
        begun: list[float] = []
        out.register_hook(lambda gradient: begun.append(thread_time()))  # type: ignore[no-untyped-call]
        pictures.register_hook(lambda gradient: self._spent("backward", begun[-1]))  # type: ignore[no-untyped-call]

    def _spent(self, kind: str, started: float) -> None:
        if self.seconds is not None:
            self.seconds[kind] = self.seconds.get(kind, 0.0) + thread_time() - started


def question(model: Path, data: Path, *, pictures: int = 320, device: str = "cpu", seed: int = 0) -> Question:
    """Open a model, find its input convention and make its twin, as a scan does.

    Raises:
        OnnxrayError: what a scan would say.
        OptionError: the pictures are understood under no convention.
    """
    opened = open_model(model)
    choice, samples = find_domain(opened, load_images(data, limit=pictures, seed=seed), seed=seed)
    if not choice.beats_chance:
        raise OptionError(choice.complaint)
    opened.build_twin(samples.inputs(), device)
    return Question(*victims.question(opened, samples, device), opened.classes, model.name)
