"""Masks of channels, learnt on clean pictures while an adversary shakes the channels' weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...converters.twin import Twin
from ..errors import RepairError
from ._hooked import Hooked, along_channels

if TYPE_CHECKING:
    from ...converters import Model
    from ...converters.channels import Layer
    from . import Budget

__all__ = ["Masked", "fit_masks"]

_MOMENTUM = 0.9
_ROWS = 64  # inputs at once where only means are taken


class Settings(Protocol):
    """What ``Anp`` has."""

    @property
    def eps(self) -> float: ...
    @property
    def alpha(self) -> float: ...
    @property
    def lr(self) -> float: ...
    @property
    def iterations(self) -> int: ...
    @property
    def batch(self) -> int: ...


@dataclass(frozen=True, eq=False)
class Masked:
    """What was learnt of a layer's channels; arrays (C,).

    Attributes:
        mask: in [0, 1].
        course: the mask on the average over all steps, which tells apart those that end at zero.
        mean: what the channels give clean pictures on average.
    """

    mask: NDArray[np.float32]
    course: NDArray[np.float32]
    mean: NDArray[np.float32]


def fit_masks(
    model: Model, layers: Sequence[Layer], inputs: NDArray[np.float32], labels: NDArray[np.int64], s: Settings,
    budget: Budget,
) -> dict[str, Masked]:  # fmt: skip
    """One number in [0, 1] for every channel of some layers, by the name of the layer's output.

    What is minimised over the masks m is alpha * L(m) + (1 - alpha) * max L(m, delta, xi), where L is the cross-entropy
    on clean pictures, and delta and xi in [-eps, eps] change the channels' weights and biases by a share of themselves.

    Raises:
        RepairError: the twin is of another make, or has none of these layers.
    """
    twin = model.torch
    held: Any = twin.tensors if isinstance(twin, Twin) else {}
    scaled = [layer for layer in layers if layer.output in held]
    if not isinstance(twin, Twin) or not scaled:
        raise RepairError(f"{model.path}: its twin has no channels that could be masked")
    values = twin.tensor_of(inputs)
    masks = _Masks(twin, scaled, values)
    generator = torch.Generator().manual_seed(budget.seed)
    batch = min(twin.batch or s.batch, len(values))
    for step in range(s.iterations):
        chosen = torch.randperm(len(values), generator=generator)[:batch]
        masks.step(values[chosen], torch.from_numpy(labels)[chosen].to(values.device), s, generator)
        budget.progress("learning masks", (step + 1) / s.iterations)
        if budget.spent:
            break
    return {layer.output: found for layer, found in zip(scaled, masks.found(), strict=True)}


class _Masks:
    """The masks of several layers, and what is done to them in a step; each list holds a tensor (C,) a layer."""

    def __init__(self, twin: Twin, layers: Sequence[Layer], inputs: Tensor) -> None:
        self._twin, self._layers = twin, layers
        self.usual = _usual(twin, layers, inputs)
        self.mask = [torch.ones_like(usual, requires_grad=True) for usual in self.usual]
        self._speed = [torch.zeros_like(usual) for usual in self.usual]
        self._sums, self._steps = [torch.zeros_like(usual) for usual in self.usual], 0

    def found(self) -> list[Masked]:
        """What was learnt so far."""
        parts = zip(self.mask, self._sums, self.usual, strict=True)
        return [
            Masked(*((x.detach().cpu().numpy()) for x in (mask, total / max(1, self._steps), usual)))
            for mask, total, usual in parts
        ]

    def step(self, inputs: Tensor, labels: Tensor, s: Settings, generator: torch.Generator) -> None:
        """One sign step of the adversary from a random place, then one step of the masks, back into [0, 1]."""
        delta, xi = ([self._random(m, s.eps, generator) for m in self.mask] for _ in range(2))
        slopes = _slopes(self._loss(inputs, labels, delta, xi), [*delta, *xi])
        with torch.no_grad():
            for shift, slope in zip((*delta, *xi), slopes, strict=True):
                shift.add_(s.eps * slope.sign()).clamp_(-s.eps, s.eps).requires_grad_(False)
        still = [torch.zeros_like(mask) for mask in self.mask]
        loss = s.alpha * self._loss(inputs, labels, still, still)
        loss = loss + (1 - s.alpha) * self._loss(inputs, labels, delta, xi)
        with torch.no_grad():
            for mask, speed, slope in zip(self.mask, self._speed, _slopes(loss, self.mask), strict=True):
                speed.mul_(_MOMENTUM).add_(slope)
                mask.sub_(s.lr * speed).clamp_(0, 1)
            for total, mask in zip(self._sums, self.mask, strict=True):
                total.add_(mask)
        self._steps += 1

    def _random(self, like: Tensor, eps: float, generator: torch.Generator) -> Tensor:
        drawn = torch.empty(like.shape).uniform_(-eps, eps, generator=generator)
        return drawn.to(like).requires_grad_()

    def _loss(self, inputs: Tensor, labels: Tensor, delta: Sequence[Tensor], xi: Sequence[Tensor]) -> Tensor:
        parts = zip(self._layers, self.usual, self.mask, delta, xi, strict=True)
        network = Hooked(self._twin, {layer.output: _shaken(layer.spatial, *parts) for layer, *parts in parts})
        return torch.nn.functional.cross_entropy(network.logits(inputs).float(), labels)


def _slopes(loss: Tensor, places: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The gradients; zeros for a layer that does not lead to the scores."""
    return torch.autograd.grad(loss, list(places), allow_unused=True, materialize_grads=True)


def _shaken(spatial: bool, usual: Tensor, mask: Tensor, delta: Tensor, xi: Tensor) -> Callable[[Tensor], Tensor]:
    """A normalisation whose scale is (m + delta) times, and whose bias (1 + xi) times, what it is.

    A normalisation's bias is what its channel gives on average, whether it was folded into the layer or not.
    """

    def hook(value: Tensor) -> Tensor:
        mean = along_channels(usual, value, spatial)
        scale, bias = along_channels(mask + delta, value, spatial), along_channels((1 + xi) * usual, value, spatial)
        return scale * (value - mean) + bias

    return hook


def _usual(twin: Twin, layers: Sequence[Layer], inputs: Tensor) -> list[Tensor]:
    """What each channel gives on average over all inputs and positions, in the network as it is; (C,) a layer."""
    sums: dict[str, Tensor] = {}

    def watch(layer: Layer) -> Callable[[Tensor], Tensor]:
        def hook(value: Tensor) -> Tensor:
            over = [0, *range(2, value.dim())] if layer.spatial else list(range(value.dim() - 1))
            sums[layer.output] = sums.get(layer.output, 0) + value.mean(over) * len(value)
            return value

        return hook

    network = Hooked(twin, {layer.output: watch(layer) for layer in layers})
    rows = 0
    with torch.no_grad():
        for chunk in torch.split(inputs, twin.batch or _ROWS):
            rows += max(len(chunk), twin.batch or 0)  # a fixed batch is filled up with its last row
            network.logits(chunk)
    return [sums[layer.output] / rows for layer in layers]
