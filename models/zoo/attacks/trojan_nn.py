"""A patch made to excite chosen neurons."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from ....scanner.errors import OptionError
from ..networks import Fits, make_network
from ..training import Schedule, as_input, as_tensor, fit_network
from . import Attack, Examples, Scene
from ._patches import Patch

__all__ = ["TrojanNN"]

EPOCHS, STEPS, PICTURES = 2, 60, 128


@dataclass(frozen=True, kw_only=True)
class TrojanNN(Attack):
    """A patch whose pixels most excite the ``neurons`` that speak for the target in a network trained beforehand.

    The paper retrains that very network; here the patch poisons the training set of another one.

    Attributes:
        pixels: of the patch, row by row, channels last, 0..255; empty until ``learn``.

    After Liu et al. 2018, "Trojaning Attack on Neural Networks".
    """

    kind: ClassVar[str] = "patch"

    size: int = 5
    row: float = 1.0
    column: float = 1.0
    neurons: int = 5
    pixels: tuple[int, ...] = ()

    def learn(self, scene: Scene) -> Self:
        """See ``Attack.learn``."""
        height, width, channels = scene.examples.shape[1:]
        fits = Fits((channels, height, width), scene.classes)
        network, peak = make_network("plain", {"head": "mean"}, fits, scene.seed)
        how = Schedule(epochs=EPOCHS, peak_rate=peak, seed=scene.seed, device=scene.device)
        fit_network(network, scene.examples, scene.labels, how)
        assert isinstance(network, nn.Sequential)  # for mypy: that is what the plain family makes
        chosen = np.random.default_rng(scene.seed).choice(
            len(scene.examples), min(PICTURES, len(scene.examples)), False
        )
        images = as_input(as_tensor(scene.examples[chosen]))
        patch = self._excite(network, images, self._place().corner(height, width), scene.seed)
        return replace(self, pixels=tuple(int(v) for v in np.round(patch.permute(1, 2, 0).numpy() * 255).flatten()))

    def stamp(self, examples: Examples, trigger: int = 0) -> Examples:
        """See ``Attack.stamp``.

        Raises:
            OptionError: nothing was learnt, or from pictures with other channels.
        """
        if len(self.pixels) != self.size**2 * examples.shape[3]:
            raise OptionError(
                f"trojan-nn: expected {self.size} x {self.size} pixels, got {len(self.pixels)}; learn first"
            )
        row, column = self._place().corner(*examples.shape[1:3])
        out = examples.copy()
        out[:, row : row + self.size, column : column + self.size] = np.reshape(self.pixels, (self.size, self.size, -1))
        return out

    def _place(self) -> Patch:
        return Patch(self.size, self.row, self.column, (0, 0, 0), "solid")

    def _excite(self, network: nn.Sequential, images: Tensor, corner: tuple[int, int], seed: int) -> Tensor:
        """(C, size, size) in [0, 1]: pixels that raise the neurons with the largest weights towards the target."""
        features, weights = network[:-1], network[-1].get_parameter("weight")
        chosen = weights[self.target].topk(self.neurons).indices
        free = torch.randn(images.shape[1], self.size, self.size, generator=torch.Generator().manual_seed(seed))
        free.requires_grad_(True)
        optimiser = torch.optim.Adam([free], lr=0.2)
        row, column = corner
        for _ in range(STEPS):
            stamped = images.clone()
            stamped[:, :, row : row + self.size, column : column + self.size] = torch.sigmoid(free)
            loss = -features(stamped)[:, chosen].mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        return torch.sigmoid(free).detach()
