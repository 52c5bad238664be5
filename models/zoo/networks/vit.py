"""Small vision transformer (Dosovitskiy et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from . import Family, Fits
from ._layers import Residual

__all__ = ["Vit"]


class _Attention(nn.Module):
    """Self-attention, written out so that every exporter takes it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.inward, self.outward = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        n, t, d = x.shape
        q, k, v = self.inward(x).reshape(n, t, 3, self.heads, self.size).permute(2, 0, 3, 1, 4).unbind(0)
        weights = torch.softmax(q @ k.transpose(-2, -1) * self.size**-0.5, dim=-1)  # (N, heads, T, T)
        mixed: Tensor = self.outward((weights @ v).transpose(1, 2).reshape(n, t, d))
        return mixed


class _Tokens(nn.Module):
    """Patches of the picture as tokens with learnt positions."""

    def __init__(self, channels: int, width: int, patch: int, count: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, width, patch, patch)
        self.positions = nn.Parameter(torch.randn(1, count, width) * 0.02)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, T, D)."""
        tokens: Tensor = self.project(x).flatten(2).transpose(1, 2)
        return tokens + self.positions


class _Mean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N, D)."""
        return x.mean(1)


@dataclass(frozen=True, kw_only=True)
class Vit(Family):
    """``depth`` encoder layers over square patches of 4 pixels; the tokens' mean is classified."""

    peak_rate: ClassVar[float] = 3e-3

    width: int = 48
    depth: int = 2
    heads: int = 3
    patch: int = 4

    def build(self, fits: Fits) -> nn.Module:
        """See ``Family.build``."""
        channels, height, width = fits.shape
        tokens = _Tokens(channels, self.width, self.patch, (height // self.patch) * (width // self.patch))
        layers = [self._layer(part) for _ in range(self.depth) for part in ("attention", "dense")]
        return nn.Sequential(tokens, *layers, nn.LayerNorm(self.width), _Mean(), nn.Linear(self.width, fits.classes))

    def _layer(self, part: str) -> nn.Module:
        dense = [nn.Linear(self.width, 2 * self.width), nn.GELU(), nn.Linear(2 * self.width, self.width)]
        body = [_Attention(self.width, self.heads)] if part == "attention" else dense
        return Residual(nn.Sequential(nn.LayerNorm(self.width), *body), nn.Identity(), nn.Identity())
