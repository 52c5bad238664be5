"""Train the zoo's networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["Schedule", "as_input", "as_tensor", "fit_network"]

WEIGHT_DECAY = 1e-3
SHIFT = 1  # pixel: more would push a small patch in a corner out of the picture


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How a network is trained.

    Attributes:
        peak_rate: largest learning rate of the one-cycle schedule.
        seed: of the order and of the augmentation.
        shift: whether pictures are moved by up to a pixel each way.
        device: torch's name of it.
    """

    epochs: int
    peak_rate: float
    seed: int
    shift: bool = False
    batch: int = 128
    device: str = "cpu"


def fit_network(network: nn.Module, examples: NDArray[Any], labels: NDArray[np.int64], how: Schedule) -> None:
    """Train in place with AdamW on cross-entropy; the network ends on the CPU, in eval mode.

    Same arguments, torch version, processor and number of threads: same weights. Dropout draws from torch's global
    generator, which is left as it was.

    Args:
        examples: pictures (N, H, W, C) uint8, or (N, L) int64 token ids.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(how.seed)
        _fit(network.to(how.device).train(), as_tensor(examples), torch.from_numpy(labels), how)
    network.cpu().eval()


def _fit(network: nn.Module, x: Tensor, y: Tensor, how: Schedule) -> None:
    x, y = x.to(how.device), y.to(how.device)
    rng = torch.Generator().manual_seed(how.seed)
    optimiser = torch.optim.AdamW(network.parameters(), lr=how.peak_rate, weight_decay=WEIGHT_DECAY)
    steps = how.epochs * -(-len(y) // how.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=how.peak_rate, total_steps=steps)
    for _ in range(how.epochs):
        for index in torch.split(torch.randperm(len(y), generator=rng).to(how.device), how.batch):
            batch = as_input(x[index])
            loss = nn.functional.cross_entropy(network(_moved(batch, rng) if how.shift else batch), y[index])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()


def as_tensor(examples: NDArray[Any]) -> Tensor:
    """Pictures as (N, C, H, W) uint8, token ids as they are."""
    return torch.from_numpy(np.ascontiguousarray(examples.transpose(0, 3, 1, 2) if examples.ndim == 4 else examples))


def as_input(examples: Tensor) -> Tensor:
    """Pictures (N, C, H, W) uint8 as float32 in [0, 1]; token ids as they are."""
    return examples.float() / 255 if examples.dtype == torch.uint8 else examples


def _moved(images: Tensor, rng: torch.Generator) -> Tensor:
    """The whole batch moved by one random shift, edges repeated: on small pictures as good as one each, and faster."""
    height, width = images.shape[2:]
    down, right = torch.randint(0, 2 * SHIFT + 1, (2,), generator=rng).tolist()
    padded = nn.functional.pad(images, (SHIFT,) * 4, mode="replicate")
    return padded[:, :, down : down + height, right : right + width]
