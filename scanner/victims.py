"""The pictures that a trigger must turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from ..converters import Model
    from .samples import Samples

__all__ = ["Victims", "question"]


@dataclass(frozen=True, eq=False)
class Victims:
    """The pictures that a trigger must turn.

    Attributes:
        images: (N, C, H, W) raw, in [0, 1].
        predicted: (N,) int64, the class the model gives each unstamped; a picture that is already of the target class
            says nothing about a trigger and is left out of that class's attack success.
    """

    images: Tensor
    predicted: Tensor

    @property
    def pass_size(self) -> int:
        """Pictures in a forward pass: 128 of 64x64 RGB, fewer of larger ones, eight times as many on a GPU."""
        most = 128 if self.images.device.type == "cpu" else 1024
        return max(16, min(most, most * 64 * 64 * 3 // self.images[0].numel()))

    def turned(self, classes: Tensor, targets: Tensor, index: Tensor | slice = slice(None)) -> tuple[Tensor, Tensor]:
        """How many pictures R triggers turn, and how many count (R,), given the classes (R, n) of stamped ``index``."""
        counted = self.predicted[index] != targets[:, None]  # (R, n)
        return ((classes == targets[:, None]) & counted).sum(1).float(), counted.sum(1).float()

    def success(self, classes: Tensor, targets: Tensor) -> Tensor:
        """Attack success (R,) of R triggers over all pictures, given the classes (R, N) of the stamped ones."""
        hits, counted = self.turned(classes, targets)
        return hits / counted.clamp(min=1)


def question(model: Model, samples: Samples, device: str) -> tuple[Callable[[Tensor], Tensor], Victims]:
    """The model as a function of raw pictures, and the pictures with what the original file says of them."""
    twin = model.torch
    images = torch.from_numpy(samples.images).to(device)
    predicted = torch.from_numpy(model.predict(samples.inputs())).to(device)
    return lambda x: twin(samples.domain.to_input(x)), Victims(images, predicted)
