"""Plain convolutional network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import nn

from . import Family, Fits
from ._layers import conv_bn, mean_head

__all__ = ["Plain"]


@dataclass(frozen=True, kw_only=True)
class Plain(Family):
    """Three convolutions, each halving the picture by its stride or by max pooling; then flat or mean, and linear."""

    width: int = 12
    kernel: int = 3
    halve: Literal["stride", "pool"] = "stride"
    head: Literal["flat", "mean"] = "flat"

    def build(self, fits: Fits) -> nn.Module:
        """See ``Family.build``."""
        channels, height, width = fits.shape
        layers: list[nn.Module] = []
        for outputs in (self.width, 2 * self.width, 4 * self.width):
            layers += self._block(channels, outputs)
            channels = outputs
        if self.head == "mean":
            return nn.Sequential(*layers, *mean_head(channels, fits.classes))
        cells = ((height + 7) // 8) * ((width + 7) // 8)
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * cells, fits.classes))

    def _block(self, inputs: int, outputs: int) -> list[nn.Module]:
        if self.halve == "stride":
            return conv_bn(inputs, outputs, self.kernel, 2, act=nn.ReLU())
        return [*conv_bn(inputs, outputs, self.kernel, act=nn.ReLU()), nn.MaxPool2d(2, ceil_mode=True)]
