"""Network architectures, one family a file, found by their presence; a family is its file's name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from ....scanner.errors import OptionError
from ....scanner.registry import build, plugins

__all__ = ["Family", "Fits", "families", "make_network"]


@dataclass(frozen=True)
class Fits:
    """What a network is made for.

    Attributes:
        shape: of one input: (C, H, W), or (L,) for token ids.
        vocabulary: number of token ids; 0 for pictures.
    """

    shape: tuple[int, ...]
    classes: int
    vocabulary: int = 0


@dataclass(frozen=True, kw_only=True)
class Family(ABC):
    """An architecture; its fields are its options.

    Attributes:
        peak_rate: largest learning rate of its training.
    """

    peak_rate: ClassVar[float] = 1e-2

    @abstractmethod
    def build(self, fits: Fits) -> nn.Module:
        """A network with weights from torch's global generator: float32 (N, C, H, W) in [0, 1], or ids, to logits."""


def families() -> dict[str, type[Family]]:
    """Every family, id -> class."""
    return plugins(__name__, Family)  # type: ignore[type-abstract]


def make_network(family: str, options: Mapping[str, object], fits: Fits, seed: int) -> tuple[nn.Module, float]:
    """A new network and the peak learning rate for it; torch's global generator is left as it was.

    Raises:
        OptionError: no such family, or an option that it does not have.
    """
    known = families()
    if family not in known:
        raise OptionError(f"network: expected one of {sorted(known)}, got {family!r}")
    chosen = build(known[family], options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return chosen.build(fits), chosen.peak_rate
