"""ConvNeXt-like network (Liu et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from . import Family, Fits
from ._layers import ChannelNorm, Residual

__all__ = ["ConvNext"]


@dataclass(frozen=True, kw_only=True)
class ConvNext(Family):
    """2 x 2 patches, two stages of ``blocks``: depthwise convolution, layer norm, and a two-layer GELU network."""

    peak_rate: ClassVar[float] = 4e-3

    width: int = 20
    blocks: int = 1
    kernel: int = 5

    def build(self, fits: Fits) -> nn.Module:
        """See ``Family.build``."""
        layers: list[nn.Module] = [nn.Conv2d(fits.shape[0], self.width, 2, 2), ChannelNorm(self.width)]
        layers += [self._block(self.width) for _ in range(self.blocks)]
        layers += [ChannelNorm(self.width), nn.Conv2d(self.width, 2 * self.width, 2, 2)]
        layers += [self._block(2 * self.width) for _ in range(self.blocks)]
        head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(2 * self.width)]
        return nn.Sequential(*layers, *head, nn.Linear(2 * self.width, fits.classes))

    def _block(self, width: int) -> nn.Module:
        body = nn.Sequential(
            nn.Conv2d(width, width, self.kernel, padding=self.kernel // 2, groups=width),
            ChannelNorm(width),
            nn.Conv2d(width, 3 * width, 1),
            nn.GELU(),
            nn.Conv2d(3 * width, width, 1),
        )
        return Residual(body, nn.Identity(), nn.Identity())
