"""A model as a function of raw pictures, as every peer asks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ....scanner.assumed_domain import assumed_domain
from ....scanner.errors import OptionError, SamplesError

if TYPE_CHECKING:
    from ....converters import Model
    from ....scanner.samples import Samples

__all__ = ["Pictures", "pictures"]


@dataclass(frozen=True, eq=False)
class Pictures:
    """What a peer may look at.

    Attributes:
        logits: raw pictures (N, C, H, W) in [0, 1] to logits (N, K), differentiable.
        clean: (N, C, H, W) the clean pictures, N may be 0.
        device: where the network is.
    """

    logits: Callable[[Tensor], Tensor]
    clean: Tensor
    device: torch.device

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, H, W)."""
        return tuple(self.clean.shape[1:])


def pictures(model: Model, samples: Samples | None, least: int) -> Pictures:
    """The model's twin behind its domain, and the clean pictures.

    Args:
        least: so many pictures are needed.

    Raises:
        OptionError: the model takes no pictures.
        SamplesError: too few of them.
        TwinError: the twin is not built.
    """
    spec = model.facts.input
    if spec.dtype in ("int32", "int64"):
        raise OptionError(f"{model.path}: expected a classifier of pictures, got one of token ids ({spec.dtype})")
    if (samples is None and least) or (samples is not None and len(samples) < least):
        raise SamplesError(f"{model.path}: expected {least} clean pictures or more, got {len(samples or ())}")
    twin, domain = model.torch, samples.domain if samples is not None else assumed_domain(model)
    tensors = chain(twin.parameters(), twin.buffers())
    device = next((t.device for t in tensors), torch.device("cpu"))
    empty = torch.empty(0, domain.channels, domain.height, domain.width)
    clean = torch.from_numpy(samples.images) if samples is not None and len(samples) else empty
    return Pictures(lambda x: twin(domain.to_input(x)), clean.to(device), device)
