"""Depthwise separable network with inverted residuals (Sandler et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from . import Family, Fits
from ._layers import Residual, conv_bn, mean_head

__all__ = ["Depthwise"]


@dataclass(frozen=True, kw_only=True)
class Depthwise(Family):
    """A stem of stride 2, then ``blocks`` inverted residuals at each of two widths, ``expand`` times wider inside."""

    width: int = 16
    blocks: int = 2
    expand: int = 3

    def build(self, fits: Fits) -> nn.Module:
        """See ``Family.build``."""
        layers, inputs = conv_bn(fits.shape[0], self.width, 3, 2, act=nn.ReLU6()), self.width
        for stage in range(2):
            for block in range(self.blocks):
                outputs = self.width * 2**stage
                layers.append(self._block(inputs, outputs, 2 if not block else 1))
                inputs = outputs
        layers += conv_bn(inputs, 4 * self.width, 1, act=nn.ReLU6())
        return nn.Sequential(*layers, *mean_head(4 * self.width, fits.classes))

    def _block(self, inputs: int, outputs: int, stride: int) -> nn.Module:
        inner = inputs * self.expand
        body = nn.Sequential(
            *conv_bn(inputs, inner, 1, act=nn.ReLU6()),
            *conv_bn(inner, inner, 3, stride, groups=inner, act=nn.ReLU6()),
            *conv_bn(inner, outputs, 1),
        )
        return Residual(body, nn.Identity(), nn.Identity()) if (inputs, stride) == (outputs, 1) else body
