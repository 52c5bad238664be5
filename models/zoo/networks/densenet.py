"""Densely connected network (Huang et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from . import Family, Fits
from ._layers import conv_bn, mean_head

__all__ = ["DenseNet"]


class _Dense(nn.Module):
    """Appends new channels to those that come in."""

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, growth, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C + growth, H, W)."""
        return torch.cat([x, self.body(x)], dim=1)


@dataclass(frozen=True, kw_only=True)
class DenseNet(Family):
    """A stem of stride 2 and two dense stages of ``layers`` with a halving transition between them."""

    growth: int = 10
    layers: int = 3

    def build(self, fits: Fits) -> nn.Module:
        """See ``Family.build``."""
        channels = 2 * self.growth
        modules = conv_bn(fits.shape[0], channels, 3, 2, act=nn.ReLU())
        for stage in range(2):
            for _ in range(self.layers):
                modules.append(_Dense(channels, self.growth))
                channels += self.growth
            if not stage:
                modules += [nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels // 2, 1), nn.AvgPool2d(2)]
                channels //= 2
        return nn.Sequential(*modules, nn.BatchNorm2d(channels), nn.ReLU(), *mean_head(channels, fits.classes))
