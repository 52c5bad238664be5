"""Residual network (He et al. 2016), with the activation after the sum or before the convolutions."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from . import Family, Fits
from ._layers import Residual, conv_bn, mean_head

__all__ = ["ResNet"]


@dataclass(frozen=True, kw_only=True)
class ResNet(Family):
    """A stem of stride 2 and three stages of ``blocks`` residual blocks; ``early``: normalised and activated first."""

    width: int = 16
    blocks: int = 1
    early: bool = False

    def build(self, fits: Fits) -> nn.Module:
        """See ``Family.build``."""
        layers, inputs = conv_bn(fits.shape[0], self.width, 3, 2, act=nn.ReLU()), self.width
        for stage in range(3):
            for block in range(self.blocks):
                outputs = self.width * 2**stage
                layers.append(self._block(inputs, outputs, 2 if stage and not block else 1))
                inputs = outputs
        if self.early:
            layers += [nn.BatchNorm2d(inputs), nn.ReLU()]
        return nn.Sequential(*layers, *mean_head(inputs, fits.classes))

    def _block(self, inputs: int, outputs: int, stride: int) -> nn.Module:
        shortcut: nn.Module = nn.Identity()
        if (inputs, stride) != (outputs, 1):
            shortcut = nn.Sequential(*conv_bn(inputs, outputs, 1, stride))
        if not self.early:
            body = [*conv_bn(inputs, outputs, 3, stride, act=nn.ReLU()), *conv_bn(outputs, outputs)]
            return Residual(nn.Sequential(*body), shortcut, nn.ReLU())
        body = [
            nn.BatchNorm2d(inputs), nn.ReLU(), *conv_bn(inputs, outputs, 3, stride, act=nn.ReLU()),
            nn.Conv2d(outputs, outputs, 3, padding=1),
        ]  # fmt: skip
        return Residual(nn.Sequential(*body), shortcut, nn.Identity())
