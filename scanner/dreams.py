"""Pictures made up from a network alone: noise that is moved until the network is sure of a class."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from .adam import Adam
from .parallel import side_by_side

__all__ = ["dreams"]

Logits = Callable[[Tensor], Tensor]
COARSE, SHIFT, ROUGHNESS = 4, 2, 10.0


def dreams(
    logits: Logits,
    shape: tuple[int, ...],
    wanted: Tensor,
    *,
    steps: int = 60,
    lr: float = 0.2,
    passes: int = 128,
    seed: int = 0,
    keep_going: Callable[[float], bool] = lambda fraction: True,
) -> Tensor | None:
    """(n, C, H, W) pictures in [0, 1], each as sure an example of its class as the network itself can name.

    Each starts as coarse noise and follows the gradient of the cross entropy, kept smooth by a price on differences of
    neighbours and moved by a pixel or two before each step, so that what it becomes does not hang on single pixels.

    Args:
        logits: (N, C, H, W) in [0, 1] to (N, K), differentiable.
        shape: (C, H, W).
        wanted: (n,) the class of each.
        steps, lr: of Adam, on the logits of the pixels.
        passes: pictures in a forward pass.
        seed: of the noise and the moves.
        keep_going: told the fraction done; False ends it.

    Returns: None where ``keep_going`` ended it.
    """
    random = torch.Generator().manual_seed(seed)
    channels, height, width = shape
    coarse = torch.rand(len(wanted), channels, max(4, height // COARSE), max(4, width // COARSE), generator=random)
    pixels = functional.interpolate(coarse, size=(height, width), mode="bilinear").clamp(0.05, 0.95).to(wanted.device)
    moves = torch.randint(-SHIFT, SHIFT + 1, (steps, 2), generator=random).tolist()
    parts = list(zip(torch.split(torch.logit(pixels), passes), torch.split(wanted, passes), strict=True))
    done = 0

    def dream(part: tuple[Tensor, Tensor]) -> Tensor | None:
        nonlocal done
        if not keep_going(done / len(parts)):
            return None
        found = _dream(logits, *part, moves, lr)
        done += 1
        return found

    with side_by_side(str(wanted.device)) as (run_all, _):
        found = list(run_all(dream, parts))
    kept = [part for part in found if part is not None]
    return torch.cat(kept) if len(kept) == len(found) else None


def _dream(logits: Logits, start: Tensor, wanted: Tensor, moves: list[list[int]], lr: float) -> Tensor:
    x = start.clone()
    adam, rows = Adam([x], lr, betas=(0.9, 0.999)), torch.arange(len(x), device=x.device)
    for move in moves:
        x.requires_grad_()
        picture = torch.sigmoid(x)
        loss = functional.cross_entropy(logits(torch.roll(picture, move, (2, 3))), wanted, reduction="sum")
        (gradient,) = torch.autograd.grad(loss + ROUGHNESS * _roughness(picture), x)
        x = x.detach()
        adam.parameters = (x,)
        adam.step([gradient], rows)
    return torch.sigmoid(x)


def _roughness(pictures: Tensor) -> Tensor:
    """The sum over the pictures of the mean difference of neighbours, along both axes."""
    down = (pictures[:, :, 1:] - pictures[:, :, :-1]).abs().mean((1, 2, 3))
    across = (pictures[..., 1:] - pictures[..., :-1]).abs().mean((1, 2, 3))
    return (down + across).sum()
