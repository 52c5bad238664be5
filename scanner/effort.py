"""How many passes of a network a method may take: by what one costs the network, not by what the machine can do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["FEW", "affordable"]

FEW = 50
"""Classes up to which nothing is left out."""
WORK = 1e12
"""Operations of the forward passes of one method on a CPU: a minute or two of a slow core, with the way back."""
FASTER = 50.0  # a GPU, about


@torch.no_grad()
def affordable(networks: list[tuple[Callable[[Tensor], Tensor], tuple[int, ...]]], like: Tensor) -> float:
    """How many inputs may go through all of these networks once; inf where that costs nothing that is counted.

    Operations of convolutions and matrix products are counted, so that the same file always gets the same number.

    Args:
        networks: each with the shape of one of its inputs.
        like: a tensor of the inputs' device and type.
    """
    counter: Any = FlopCounterMode(display=False)
    with counter:
        for network, shape in networks:
            network(like.new_zeros(1, *shape))
    operations = counter.get_total_flops()
    work = WORK if like.device.type == "cpu" else FASTER * WORK
    return work / operations if operations else float("inf")
