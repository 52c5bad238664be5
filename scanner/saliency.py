"""Which pixels speak for each class on clean pictures, and three figures that tell a shortcut from an object."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from .parallel import side_by_side

__all__ = ["Saliency", "saliency"]

Logits = Callable[[Tensor], Tensor]
_LAPLACE = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])


@dataclass(frozen=True, eq=False)
class Saliency:
    """What the heatmaps of C classes over n pictures are like; a void heatmap (no gradient) counts nowhere.

    Attributes:
        sparse: (C,) mean of a heatmap, the median over the pictures; 0 where one pixel speaks, NaN where all are void.
        smooth: (C,) mean absolute Laplacian of a heatmap, the median over the pictures; 0 where it is flat.
        persistent: (C,) chance that a pixel is among the strongest on one picture and not on another, the mean over the
            pixels; 0 where the same pixels speak every time.
        void: (C,) share of the pictures without a gradient.
        heat: (C, H, W) mean heatmap, in [0, 1].
        frequency: (C, H, W) how often each pixel is among the strongest, in [0, 1].
    """

    sparse: Tensor
    smooth: Tensor
    persistent: Tensor
    void: Tensor
    heat: Tensor
    frequency: Tensor


def saliency(
    logits: Logits,
    images: Tensor,
    classes: Tensor,
    *,
    quantile: float = 0.9,
    batch: int = 16,
    keep_going: Callable[[float], bool] = lambda fraction: True,
) -> Saliency | None:
    """Look at the gradient of every class's logit: one forward pass a batch of pictures, one backward pass a class.

    A loop over the classes is faster on a CPU than one backward pass for all of them by ``vmap``, and than pictures
    repeated for each class, which repeat the forward pass too.

    Args:
        logits: raw pictures (N, C, H, W) in [0, 1] to logits (N, K), differentiable.
        images: (n, C, H, W).
        classes: (C,) those to look at.
        quantile: pixels above this share of the others of a heatmap are its strongest.
        batch: pictures in one forward pass.
        keep_going: told the fraction done; False ends it.

    Returns:
        None where there was no time.

    Source: Huang et al. 2019, "NeuronInspect: Detecting Backdoors in Neural Networks via Output Explanations". Theirs
    counts persistence by a chain of XORs over the pictures, which is a parity; this is the expected XOR of a pair.
    """
    parts = torch.split(images, batch)
    done = 0

    def look(part: Tensor) -> _Part | None:
        nonlocal done
        if not keep_going(done / len(parts)):
            return None
        seen = _look(logits, part, classes, quantile)
        done += 1
        return seen

    with side_by_side(str(images.device)) as (run_all, _):
        seen = [part for part in run_all(look, parts) if part]
    return _gathered(seen) if len(seen) == len(parts) else None


@dataclass(frozen=True, eq=False)
class _Part:
    """Of n pictures: three figures of every heatmap (C, n), and two sums over them (C, H, W)."""

    sparse: Tensor
    smooth: Tensor
    void: Tensor
    heat: Tensor
    strongest: Tensor


def _look(logits: Logits, images: Tensor, classes: Tensor, quantile: float) -> _Part:
    laplace = _LAPLACE.to(images)[None, None]
    found = []
    for heat, void in _heatmaps(logits, images, classes):
        strongest = _strongest(heat, quantile) & ~void[:, None, None]
        edges = functional.conv2d(heat[:, None], laplace).abs() if min(heat.shape[1:]) > 2 else heat[:, None] * 0
        figures = (heat.mean((1, 2)), edges.mean((1, 2, 3)), void)
        found.append((*figures, heat.sum(0), strongest.sum(0).float()))
    return _Part(*(torch.stack(column) for column in zip(*found, strict=True)))


def _heatmaps(logits: Logits, images: Tensor, classes: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Each class's heatmaps (n, H, W), stretched to [0, 1], and (n,) which are void: those are all 0."""
    x = images.clone().requires_grad_()
    out = logits(x)
    for place, c in enumerate(classes.tolist()):
        last = place == len(classes) - 1
        (gradient,) = torch.autograd.grad(out[:, c].sum(), x, retain_graph=not last)
        heat = gradient.abs().amax(1)
        low, high = heat.amin((1, 2), keepdim=True), heat.amax((1, 2), keepdim=True)
        void = ~(torch.isfinite(high) & (high > low))
        yield torch.where(void, 0.0, (heat - low) / (high - low)), void[:, 0, 0]


def _strongest(heat: Tensor, quantile: float) -> Tensor:
    """Which pixels (n, H, W) are above this quantile of their own heatmap."""
    flat = heat.flatten(1)
    rank = min(flat.shape[1], max(1, round(quantile * flat.shape[1])))
    return heat > flat.kthvalue(rank, dim=1).values[:, None, None]


def _gathered(parts: list[_Part]) -> Saliency:
    sparse, smooth, void = (torch.cat([getattr(p, n) for p in parts], 1) for n in ("sparse", "smooth", "void"))
    counted = (~void).sum(1).float()[:, None, None]  # 0 makes NaN of everything below
    heat, often = (torch.stack([getattr(p, n) for p in parts]).sum(0) / counted for n in ("heat", "strongest"))
    pairs = 2 * often * (1 - often) * counted / (counted - 1)  # of two different pictures
    return Saliency(
        sparse.masked_fill(void, torch.nan).nanmedian(1).values,
        smooth.masked_fill(void, torch.nan).nanmedian(1).values,
        pairs.mean((1, 2)),
        void.float().mean(1),
        heat,
        often,
    )
