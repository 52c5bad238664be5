"""MM-BD as its authors run it: each class's largest margin, held to a gamma distribution of all but the largest."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from math import expm1, isfinite, log, log1p
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from . import Peer, PeerResult
from ._pictures import Pictures, pictures

if TYPE_CHECKING:
    from ....converters import Model
    from ....scanner.samples import Samples

_FIRST_LOSS = 1000.0  # what the first step's loss is compared with


@dataclass(frozen=True, kw_only=True)
class MaximumMargin(Peer):
    """The class that some input puts further ahead of all others than the other classes' margins let expect.

    Everything is the authors' code: 30 starts for each class, uniform in [0, 1]; plain gradient steps of 1e-2 on the
    sum of their margins, through a clamp to [0, 1] (their momentum never acts, as they make a new optimiser every
    step); the end after 300 steps or when the sum changes by less than 1e-5 of itself; the class's margin is the
    largest of the last 30. A gamma distribution with free shape, place and scale is fitted to all margins but the
    largest; p = 1 - F(largest) ** K, flagged below 0.05. K is the exponent of their code; their paper is said to have
    K - 1.

    The score is -log p, which orders models as 1 - p does and still tells them apart where that is 1.

    Wang et al., "MM-BD: Post-Training Detection of Backdoor Attacks with Arbitrary Backdoor Pattern Types Using a
    Maximum Margin Statistic", IEEE S&P 2024.
    """

    id: ClassVar[str] = "mm-bd"

    starts: int = 30
    steps: int = 300
    lr: float = 1e-2
    least_change: float = 1e-5
    level: float = 0.05

    def run(self, model: Model, samples: Samples | None, seed: int) -> PeerResult:
        """See `Peer`; the samples only say what the model's input is like."""
        started = monotonic()
        asked = pictures(model, samples, 0)
        random = torch.Generator().manual_seed(seed)
        climbed = [self._climb(asked, c, random) for c in range(model.classes)]
        margins = np.array([margin for margin, _ in climbed])
        surprise = tail(margins)
        climbing = sum(not settled for _, settled in climbed)
        fit = "" if surprise is not None else "; no gamma distribution fits the other margins: no answer"
        return PeerResult(
            classes=tuple(margins.tolist()),
            score=surprise or 0.0,
            flagged=surprise is not None and surprise > -log(self.level),
            target=int(margins.argmax()),
            seconds=monotonic() - started,
            note=f"{climbing} of {model.classes} classes still climbing after {self.steps} steps{fit}",
        )

    def _climb(self, asked: Pictures, target: int, random: torch.Generator) -> tuple[float, bool]:
        """The largest margin of the last step, and whether the climb had come to an end."""
        x = torch.rand(self.starts, *asked.shape, generator=random).to(asked.device).requires_grad_()
        before, settled = _FIRST_LOSS, False
        for _ in range(self.steps):
            margins = _margins(asked.logits(x.clamp(0, 1)), target)
            loss = -margins.sum()
            (gradient,) = torch.autograd.grad(loss, x)
            now = float(loss.detach())
            x = (x.detach() - self.lr * gradient).requires_grad_()
            settled = abs(before - now) < self.least_change * abs(before)
            if settled:
                break
            before = now
        return float(margins.detach().max()), settled


def tail(margins: NDArray[np.float64]) -> float | None:
    """-log p of the largest margin beside the others, >= 0; None where no gamma distribution fits those."""
    from scipy.stats import gamma

    largest = int(margins.argmax())
    others = np.delete(margins, largest)
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shape, place, scale = gamma.fit(others)
            beyond = float(gamma.sf(margins[largest], shape, place, scale))  # 1 - F, exact where F is nearly 1
    except (ValueError, RuntimeError):  # scipy's FitError is a RuntimeError
        return None
    if not isfinite(beyond):
        return None
    if beyond == 0:
        return _beyond_floats((margins[largest] - place) / scale, shape) - log(len(margins))
    p = -expm1(len(margins) * log1p(-beyond)) if beyond < 1 else 1.0
    return max(0.0, -log(p))


def _beyond_floats(x: float, shape: float) -> float:
    """-log of the upper tail of a gamma distribution of scale 1 where that is too small for a float, to first order."""
    from scipy.special import gammaln

    return float(x - (shape - 1) * log(x) + gammaln(shape))


def _margins(out: Tensor, target: int) -> Tensor:
    """Of the target's logit over the best other one (N,)."""
    others = torch.cat([out[:, :target], out[:, target + 1 :]], 1)
    return out[:, target] - others.amax(1)
