"""Convolutional network over words (Kim 2014)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ....scanner.errors import OptionError
from . import Family, Fits

__all__ = ["TextCnn"]


class _Kim(nn.Module):
    def __init__(self, vocabulary: int, classes: int, options: TextCnn) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, options.dimension, padding_idx=0)
        nn.init.normal_(
            self.embed.weight[1:].detach(), std=0.1
        )  # far smaller than torch's, which it would overfit from
        sizes = range(options.shortest, options.shortest + 3)
        self.convolutions = nn.ModuleList(nn.Conv1d(options.dimension, options.width, size) for size in sizes)
        self.drop = nn.Dropout(0.5)
        self.classify = nn.Linear(3 * options.width, classes)

    def forward(self, ids: Tensor) -> Tensor:
        """(N, L) int64 -> logits (N, K)."""
        words = self.embed(ids).transpose(1, 2)  # (N, D, L)
        best = [torch.relu(convolution(words)).amax(dim=2) for convolution in self.convolutions]
        logits: Tensor = self.classify(self.drop(torch.cat(best, dim=1)))
        return logits


@dataclass(frozen=True, kw_only=True)
class TextCnn(Family):
    """Word vectors, convolutions over three lengths of phrase, the strongest answer of each, and linear."""

    peak_rate: ClassVar[float] = 3e-3

    dimension: int = 32
    width: int = 24
    shortest: int = 3

    def build(self, fits: Fits) -> nn.Module:
        """See ``Family.build``.

        Raises:
            OptionError: made for pictures.
        """
        if not fits.vocabulary:
            raise OptionError("text-cnn: expected sentences, got pictures")
        return _Kim(fits.vocabulary, fits.classes, self)
