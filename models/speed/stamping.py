"""Stamping beside the expression that it replaces, each with its gradient, as a step of the trigger search calls it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ...kernels.stamp import plain_stamp, stamp
from .timing import Spread, clock_for, interleaved, ratios, spread

__all__ = ["Row", "measure"]

PICTURES = ((1, 28, 28), (3, 32, 32), (3, 64, 64), (3, 224, 224))
MOST = 1 << 22  # numbers stamped in one call: what one forward pass of a search takes
POOL = 128  # pictures to choose from

Step = Callable[[], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Row:
    """One size of picture."""

    shape: tuple[int, ...]
    triggers: int
    pictures: int
    """Stamped with each trigger."""
    seconds: float
    """Median of stamping and its gradient."""
    speedup: Spread
    """Times of the plain expression by ours."""
    kept: int
    """Bytes that wait for the backward pass beside the arguments, ours."""
    kept_plain: int
    """The same of the plain expression."""


def measure(device: str = "cpu", *, rounds: int = 15, seed: int = 0, pictures: int = 16) -> list[Row]:
    """Time ten triggers, or as many as fit one forward pass, on pictures of usual sizes.

    Args:
        device: ``cpu`` or ``cuda``.
        rounds: of each size; see ``timing.interleaved``.
        seed: of the numbers and the order.
        pictures: that each trigger is put on.
    """
    return [_row(shape, torch.device(device), rounds, seed, pictures) for shape in PICTURES]


def _row(shape: tuple[int, ...], device: torch.device, rounds: int, seed: int, pictures: int) -> Row:
    channels, height, width = shape
    triggers = max(1, min(10, MOST // (channels * height * width * pictures)))
    random = torch.Generator().manual_seed(seed)
    pool = torch.rand(POOL, *shape, generator=random).to(device)
    masks = torch.rand(triggers, 1, height, width, generator=random).to(device).requires_grad_()
    patterns = torch.rand(triggers, *shape, generator=random).to(device).requires_grad_()
    index = torch.stack([torch.randperm(POOL, generator=random)[:pictures] for _ in range(triggers)]).to(device)
    given = torch.randn(triggers * index.shape[1], *shape, generator=random).to(device)
    lying, given = (t.contiguous(memory_format=torch.channels_last) for t in (pool, given))
    steps = _steps(pool, lying, masks, patterns, index, given)
    seconds = interleaved(steps, rounds, seed, clock_for(device))
    return Row(
        shape=shape,
        triggers=triggers,
        pictures=index.shape[1],
        seconds=spread(seconds["ours"]).median,
        speedup=ratios(seconds, "ours")["plain"],
        kept=_kept(steps["ours"], lying, masks, patterns, index),
        kept_plain=_kept(steps["plain"], pool, masks, patterns, index),
    )


def _steps(
    pool: Tensor, lying: Tensor, masks: Tensor, patterns: Tensor, index: Tensor, given: Tensor
) -> dict[str, Step]:
    """Both end with a network's input in channels_last, and start from a gradient that lies so, as ``lying`` does."""

    def ours() -> tuple[Tensor, Tensor]:
        stamped = stamp(lying, masks, patterns, index, channels_last=True).flatten(0, 1)
        return torch.autograd.grad(stamped, (masks, patterns), given)  # type: ignore[return-value] # two tensors

    def plain() -> tuple[Tensor, Tensor]:
        stamped = plain_stamp(pool[index], masks, patterns).flatten(0, 1)
        stamped = stamped.contiguous(memory_format=torch.channels_last)
        return torch.autograd.grad(stamped, (masks, patterns), given)  # type: ignore[return-value]

    return {"ours": ours, "plain": plain}


def _kept(step: Step, *arguments: Tensor) -> int:
    """Bytes of the storages that a step keeps for its gradient and that are not those of its arguments."""
    kept: dict[int, int] = {}
    own = {t.untyped_storage().data_ptr() for t in arguments}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        step()
    return sum(size for address, size in kept.items() if address not in own)
