"""NeuronInspect as far as it is known: what the heatmaps of each class are like, in one figure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from . import Peer, PeerResult
from ._left_tail import FLAGGED_ABOVE, smallest_stands_out
from ._pictures import pictures

if TYPE_CHECKING:
    from ....converters import Model
    from ....scanner.samples import Samples

_LAPLACE = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])
_BATCH = 50


@dataclass(frozen=True, kw_only=True)
class NeuronInspect(Peer):
    """The class whose heatmaps on clean pictures are the most sparse, smooth and persistent together.

    Of a class's logit, the gradient at each picture, its absolute value, the largest over the channels, stretched to
    [0, 1]; then ``sparse`` times its sum, plus ``smooth`` times the sum of its absolute Laplacian, the median over
    the pictures, plus ``persistent`` times the pixels left on by a chain of XORs over the maps of several pictures,
    each cut at the median of all the class's maps. The smallest class is held to an anomaly index above 2.

    What is followed: the paper's abstract (three features of a heatmap, outliers among the classes) and the only
    public implementation, TrojanZoo's; the three weights are those of its first version, which may be the paper's and
    whose persistence was not written yet. What is unknown: the paper's own weights, threshold, number of pictures and
    tables. Its cut of 2 is the one that TrojanNet's authors used with weights they had from the authors. What is not
    followed: TrojanZoo measures sparseness and smoothness on pictures that carry the true trigger, which no scanner
    has; here all are clean. A chain of XORs is a parity, so it is taken over folds of an even number and averaged;
    ``fold=0`` is TrojanZoo's single chain, in which over many pictures nothing is left but noise.

    Huang et al., "NeuronInspect: Detecting Backdoors in Neural Networks via Output Explanations", 2019.

    Attributes:
        pictures: at most so many are looked at, evenly from all classes.
    """

    id: ClassVar[str] = "neuron-inspect-spec"
    needs_samples: ClassVar[int] = 10

    sparse: float = 0.1
    smooth: float = 1.0
    persistent: float = 1.0
    fold: int = 10
    pictures: int = 100

    def run(self, model: Model, samples: Samples | None, seed: int) -> PeerResult:
        """See `Peer`."""
        started = monotonic()
        drawn = samples.draw(self.pictures, seed) if samples is not None else None
        asked = pictures(model, drawn, self.needs_samples)
        order = torch.randperm(len(asked.clean), generator=torch.Generator().manual_seed(seed))
        clean = asked.clean[order.to(asked.device)]
        values, void = [], 0
        for c in range(model.classes):
            maps = heatmaps(asked.logits, clean, c)
            void += int((maps.amax((1, 2)) == 0).sum())
            values.append(self.feature(maps))
        target, index = smallest_stands_out(values)
        note = f"{len(clean)} pictures, {void} of {len(clean) * model.classes} heatmaps void"
        return PeerResult(
            classes=tuple(values),
            score=index,
            flagged=index > FLAGGED_ABOVE,
            target=target,
            seconds=monotonic() - started,
            note=note,
        )

    def feature(self, maps: Tensor) -> float:
        """A class's figure from its heatmaps (N, H, W) in [0, 1]; small for a trigger's target."""
        edges = functional.conv2d(maps[:, None], _LAPLACE.to(maps)[None, None])
        each = self.sparse * maps.sum((1, 2)) + self.smooth * edges.abs().sum((1, 2, 3))
        return float(each.median()) + self.persistent * self._left_on(maps > maps.median())

    def _left_on(self, on: Tensor) -> float:
        """Pixels that are on in an odd number of a fold's maps (N, H, W), the mean over the folds."""
        even = len(on) // 2 * 2
        count = min(self.fold or even, even)
        folds = on[: len(on) // count * count].view(-1, count, *on.shape[1:])
        return float((folds.sum(1) % 2).sum((1, 2)).float().mean())


def heatmaps(logits: Callable[[Tensor], Tensor], images: Tensor, target: int) -> Tensor:
    """(N, H, W) each picture's heatmap of a class, in [0, 1]; all 0 where there is no gradient."""
    found = []
    for part in torch.split(images, _BATCH):
        x = part.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(logits(x)[:, target].sum(), x)
        heat = gradient.abs().amax(1)
        low, high = heat.amin((1, 2), keepdim=True), heat.amax((1, 2), keepdim=True)
        found.append(torch.where(high > low, (heat - low) / (high - low), 0.0))
    return torch.cat(found)
