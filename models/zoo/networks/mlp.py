"""Fully connected network."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar, Literal

from torch import nn

from . import Family, Fits

__all__ = ["Mlp"]


@dataclass(frozen=True, kw_only=True)
class Mlp(Family):
    """``depth`` hidden layers of one width; ``norm``: with layer normalisation before each activation."""

    peak_rate: ClassVar[float] = 3e-3

    width: int = 128
    depth: int = 2
    activation: Literal["relu", "gelu", "tanh"] = "relu"
    norm: bool = False

    def build(self, fits: Fits) -> nn.Module:
        """See ``Family.build``."""
        activation = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}[self.activation]
        layers: list[nn.Module] = [nn.Flatten()]
        inputs = prod(fits.shape)
        for _ in range(self.depth):
            layers += [nn.Linear(inputs, self.width), *([nn.LayerNorm(self.width)] if self.norm else []), activation()]
            inputs = self.width
        return nn.Sequential(*layers, nn.Linear(inputs, fits.classes))
