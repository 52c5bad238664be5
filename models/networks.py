"""Small convolutional classifiers, cheap enough to train and to scan on two CPU cores."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["small_cnn"]


def small_cnn(seed: int, side: int = 28, channels: int = 1, classes: int = 10, width: int = 12) -> nn.Sequential:
    """Three 3x3 convolutions of stride 2 and a linear layer: square images in [0, 1] to logits.

    For (N, 1, 28, 28) at the default width it has 20,926 parameters and takes 0.32 million multiply-adds an image.

    Args:
        seed: of the initial weights; torch's global generator is left as it was.
        side: height and width of the images, pixels.
        width: channels of the first convolution; the second has twice and the third four times as many.
    """
    cells = ((side + 7) // 8) ** 2  # each stride of 2 halves the side, rounding up
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            *_block(channels, width),
            *_block(width, 2 * width),
            *_block(2 * width, 4 * width),
            nn.Flatten(),
            nn.Linear(4 * width * cells, classes),
        )


def _block(inputs: int, outputs: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel_size=3, stride=2, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
