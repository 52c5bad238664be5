"""Train a classifier of images from scratch, the same way for every seed."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..scanner.parallel import one_thread
from .augment import augment

__all__ = ["as_input", "train"]

BATCH = 128
PEAK_RATE = 1e-2
WEIGHT_DECAY = 1e-3


def train(network: nn.Module, images: NDArray[np.uint8], labels: NDArray[np.int64], seed: int, epochs: int) -> None:
    """Train the network in place on cross-entropy with AdamW and a one-cycle learning rate; it ends in eval mode.

    It runs on one thread, which is faster for a small network and makes the sums, and so the weights, independent of
    the machine's cores. Same seed, network, data, torch version and kind of processor: same weights.

    Args:
        network: (N, C, H, W) float32 in [0, 1] -> logits (N, K).
        images: (N, H, W) or (N, H, W, C).
        labels: (N,), each in 0..K-1.
        seed: of the order and of the augmentation.
    """
    with one_thread():
        _train(network, images, labels, torch.Generator().manual_seed(seed), epochs)


def _train(
    network: nn.Module, images: NDArray[np.uint8], labels: NDArray[np.int64], rng: torch.Generator, epochs: int
) -> None:
    x, y = torch.from_numpy(as_input(images)), torch.from_numpy(labels)
    optimiser = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE, weight_decay=WEIGHT_DECAY)
    steps = epochs * -(-len(y) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=PEAK_RATE, total_steps=steps)
    network.train()
    for _ in range(epochs):
        for index in torch.split(torch.randperm(len(y), generator=rng), BATCH):
            loss = nn.functional.cross_entropy(network(augment(x[index], rng)), y[index])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    network.eval()


def as_input(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pictures as stored, (N, H, W) or (N, H, W, C) uint8, as (N, C, H, W) float32 in [0, 1]."""
    x = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(x, dtype=np.float32) / np.float32(255)
