"""One perturbation that turns all pictures at once, and what the weights must become so that none does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from ...converters.twin import Twin

__all__ = ["Minimax", "hypergradient"]

_REACH = 0.1  # of the gradient step whose fixed point the perturbation is taken for, as in the authors' code


@dataclass(frozen=True)
class Minimax:
    """How the perturbation is found and unlearnt.

    Attributes:
        attack_lr: of the gradient steps, one a batch, that find the perturbation, from zero.
        attack_passes: over all inputs, in those steps.
        penalty: cost of its squared norm, in standard deviations of the inputs.
        reach: its largest root mean square, in standard deviations of the inputs.
        fixed_points: steps of the implicit hypergradient.
        share: of a batch that carries the perturbation while it is unlearnt, in [0, 1].
        batch: samples in a step.
    """

    attack_lr: float
    attack_passes: int
    penalty: float
    reach: float
    fixed_points: int
    share: float
    batch: int

    def round(
        self, twin: Twin, weights: Sequence[Tensor], optimiser: torch.optim.Optimizer, inputs: NDArray[np.float32],
        wanted: NDArray[np.float32], rng: np.random.Generator,
    ) -> None:  # fmt: skip
        """Find one perturbation (1, ...) for all inputs (N, ...), then take a step of the weights for each batch."""
        x, y = twin.tensor_of(inputs), torch.from_numpy(wanted)
        y, carrier = y.to(x.device), _Carrier.of(x)
        shift = self._worst(twin, x, y, carrier, rng)
        for chosen in self._batches(len(x), rng):
            images, goals = x[chosen], y[chosen]
            carries = torch.from_numpy(rng.random(len(chosen)) < self.share).to(x.device)
            carries = carries.reshape(-1, *[1] * (x.dim() - 1)).to(x.dtype)
            outer = _loss(twin, carrier.with_shift(images, carries * shift), goals)
            inner = self._inner(twin, images, goals, carrier, shift)
            slopes = hypergradient(outer, inner, shift, weights, self.fixed_points)
            for weight, slope in zip(weights, slopes, strict=True):
                weight.grad = slope
            optimiser.step()

    def _worst(self, twin: Twin, x: Tensor, y: Tensor, carrier: _Carrier, rng: np.random.Generator) -> Tensor:
        """The perturbation within reach that hurts all inputs most, in standard deviations of the inputs."""
        shift = torch.zeros_like(x[:1], requires_grad=True)
        longest = self.reach * shift.numel() ** 0.5
        for _ in range(self.attack_passes):
            for chosen in self._batches(len(x), rng):
                (slope,) = torch.autograd.grad(self._inner(twin, x[chosen], y[chosen], carrier, shift), shift)
                with torch.no_grad():
                    shift -= self.attack_lr * slope
                    shift *= (longest / shift.norm().clamp_min(1e-12)).clamp_max(1)
        return shift

    def _inner(self, twin: Twin, x: Tensor, y: Tensor, carrier: _Carrier, shift: Tensor) -> Tensor:
        return self.penalty * shift.square().sum() - _loss(twin, carrier.with_shift(x, shift), y)

    def _batches(self, count: int, rng: np.random.Generator) -> Iterator[Tensor]:
        yield from torch.split(torch.from_numpy(rng.permutation(count)), self.batch)


@dataclass(frozen=True, eq=False)
class _Carrier:
    """How inputs carry a shift: in units of their standard deviation, cut back to the range that each channel has."""

    scale: Tensor
    least: Tensor
    most: Tensor

    @classmethod
    def of(cls, x: Tensor) -> _Carrier:
        over = [0, *range(2, x.dim())] if x.dim() > 2 else [0]
        return cls(x.std().clamp_min(1e-6), x.amin(over, keepdim=True), x.amax(over, keepdim=True))

    def with_shift(self, x: Tensor, shift: Tensor) -> Tensor:
        return torch.clamp(x + self.scale * shift, self.least, self.most)


def hypergradient(outer: Tensor, inner: Tensor, shift: Tensor, weights: Sequence[Tensor], steps: int) -> list[Tensor]:
    """The gradient of ``outer`` with respect to the weights, where ``shift`` itself answers to them by ``inner``.

    The shift is taken for a fixed point of a gradient step on ``inner``; its answer to the weights is summed over
    ``steps`` such steps (Grazzi et al., "On the Iteration Complexity of Hypergradient Computation", ICML 2020).
    """
    direct = torch.autograd.grad(outer, [shift, *weights], allow_unused=True, materialize_grads=True)
    (slope,) = torch.autograd.grad(inner, shift, create_graph=True)
    mapped = shift - _REACH * slope
    answer = direct[0]
    for _ in range(steps):
        (carried,) = torch.autograd.grad(mapped, shift, answer, retain_graph=True)
        answer = carried + direct[0]
    through = torch.autograd.grad(mapped, list(weights), answer, allow_unused=True, materialize_grads=True)
    return [one + two for one, two in zip(direct[1:], through, strict=True)]


def _loss(twin: Twin, inputs: Tensor, wanted: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(twin(inputs).float(), wanted)
