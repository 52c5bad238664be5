"""The norms kernel beside three reductions of torch, and beside one read of the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...kernels.activation_norms import activation_norms, backend_for
from .timing import Spread, clock_for, interleaved, ratios, spread

__all__ = ["Row", "measure"]

SHAPES = ((64, 256, 28, 28), (32, 64, 112, 112), (128, 512, 7, 7))
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


@dataclass(frozen=True)
class Row:
    """One shape in one layout."""

    shape: tuple[int, ...]
    layout: str
    dtype: str
    backend: str
    seconds: float
    """Median of one call of ours."""
    bytes_per_second: float
    """The tensor's bytes by the median: each is read once."""
    speedup: Spread
    """Times of three ``vector_norm`` by ours."""
    over_read: Spread
    """Our time by that of ``torch.sum`` over everything, which reads the same bytes."""
    with_all: Spread
    """The time with moments and argmax, by that without."""


def measure(
    device: str = "cpu",
    *,
    dtype: torch.dtype = torch.float32,
    rounds: int = 15,
    seed: int = 0,
    samples: int | None = None,
) -> list[Row]:
    """Time the norms of feature maps of usual sizes.

    Args:
        device: ``cpu`` (as many threads as torch has) or ``cuda``.
        dtype: of the activations.
        rounds: of each shape and layout; see ``timing.interleaved``.
        seed: of the numbers and the order.
        samples: batch size in place of each shape's own, for a quick look.
    """
    return [
        _row((samples or shape[0], *shape[1:]), layout, torch.device(device), dtype, rounds, seed)
        for shape in SHAPES
        for layout in LAYOUTS
    ]


def _row(shape: tuple[int, ...], layout: str, device: torch.device, dtype: torch.dtype, rounds: int, seed: int) -> Row:
    generator = torch.Generator(device).manual_seed(seed)
    x = torch.randn(shape, generator=generator, device=device, dtype=dtype).contiguous(memory_format=LAYOUTS[layout])
    seconds = interleaved(_variants(x), rounds, seed, clock_for(device))
    once = spread(seconds["ours"]).median
    relative = ratios(seconds, "ours")
    return Row(
        shape=shape,
        layout=layout,
        dtype=str(dtype).removeprefix("torch."),
        backend=backend_for(device, dtype).name,
        seconds=once,
        bytes_per_second=x.numel() * x.element_size() / once,
        speedup=relative["three reductions"],
        over_read=ratios(seconds, "read")["ours"],
        with_all=relative["all"],
    )


def _variants(x: Tensor) -> dict[str, Callable[[], Any]]:
    return {
        "ours": lambda: activation_norms(x),
        "all": lambda: activation_norms(x, moments=True, argmax=True),
        "three reductions": lambda: [torch.linalg.vector_norm(x, p, dim=(2, 3)) for p in (1, 2, torch.inf)],
        "read": lambda: x.sum(),
    }
