"""Small networks of three kinds, and how one is trained on a few hundred pictures in seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

__all__ = ["KINDS", "trained"]

WIDTH, EPOCHS, BATCH, PEAK_RATE, SHIFT = 12, 40, 32, 6e-3, 2


def trained(kind: str, images: Tensor, labels: Tensor, classes: int, seed: int) -> nn.Module:
    """A frozen network of this kind, pictures (N, C, H, W) in [0, 1] to logits (N, K).

    AdamW with one cycle, label smoothing and pictures rolled by up to two pixels: a hundred pictures are few.

    Args:
        kind: one of ``KINDS``.
        images: (N, C, H, W) in [0, 1], ``labels`` (N,) their classes.
        seed: of weights and order; torch's own generator is set by it.
    """
    torch.manual_seed(seed)
    network = KINDS[kind](tuple(images.shape[1:]), classes).to(images.device)
    rate = PEAK_RATE if kind == "normalised" else PEAK_RATE / 2
    steps = EPOCHS * -(-len(labels) // BATCH)
    adam = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-2)
    cycle = torch.optim.lr_scheduler.OneCycleLR(adam, rate, total_steps=steps)
    random = torch.Generator().manual_seed(seed)
    for _ in range(EPOCHS):
        for index in torch.split(torch.randperm(len(labels), generator=random), BATCH):
            moves = torch.randint(-SHIFT, SHIFT + 1, (2,), generator=random).tolist()
            if len(index) >= 2:  # batch normalisation needs two
                chosen = index.to(images.device)
                _step(network, torch.roll(images[chosen], moves, (2, 3)), labels[chosen], adam)
            cycle.step()
    return network.eval().requires_grad_(False)


def _step(network: nn.Module, images: Tensor, labels: Tensor, adam: torch.optim.Optimizer) -> None:
    loss = nn.functional.cross_entropy(network(images), labels, label_smoothing=0.1)
    adam.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    adam.step()


def _normalised(shape: tuple[int, ...], classes: int) -> nn.Sequential:
    """Three convolutions that halve the picture twice, and a linear layer: as cheap as can be, it is searched too."""
    widths, layers = (shape[0], WIDTH, 2 * WIDTH, 2 * WIDTH), list[nn.Module]()
    for i, stride in enumerate((2, 2, 1)):
        layers += [nn.Conv2d(widths[i], widths[i + 1], 3, stride, 1), nn.BatchNorm2d(widths[i + 1]), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(9 * widths[3], classes))


def _plain(shape: tuple[int, ...], classes: int) -> nn.Sequential:
    """Two convolutions with maxima behind them, and two linear layers, without normalisation."""
    layers: list[nn.Module] = [nn.Conv2d(shape[0], 16, 3, padding=1), nn.ReLU(), nn.AdaptiveMaxPool2d(14)]
    layers += [nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.AdaptiveMaxPool2d(7), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(32 * 49, 64), nn.ReLU(), nn.Linear(64, classes))


def _perceptron(shape: tuple[int, ...], classes: int) -> nn.Sequential:
    """One hidden layer over all pixels."""
    pixels = shape[0] * shape[1] * shape[2]
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, 128), nn.ReLU(), nn.Linear(128, classes))


KINDS: Mapping[str, Callable[[tuple[int, ...], int], nn.Module]] = {
    "normalised": _normalised, "plain": _plain, "perceptron": _perceptron,
}  # fmt: skip
"""By name; what searches triggers goes by the first, what only asks for answers by all."""
