"""How easily each class is reached by nature: a small network trained on the clean samples is asked the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .margins import largest_margins
from .mask_size import MaskNorm
from .parallel import one_thread
from .surrogate_networks import KINDS, trained
from .trigger_search import SearchSettings, search_triggers
from .trigger_sizes import class_sizes
from .victims import Victims

if TYPE_CHECKING:
    from .samples import Samples

__all__ = ["Surrogates", "make_surrogates", "unlearnable"]

MOST_CLASSES, LEAST_EACH, LARGEST = 30, 5, 64
ENOUGH = 0.8  # of the classes
NETWORKS = 2
STEPS, VICTIMS = 80, 100


def make_surrogates(samples: Samples, classes: int, seed: int, device: str) -> Surrogates | None:
    """None where there are too many classes, too few pictures of most, or large pictures: nothing would be learnt.

    Args:
        samples: all clean ones. Those that judge the model's triggers may be among them: nothing that is learnt here
            goes into a trigger.
    """
    if unlearnable(samples, classes)[0]:
        return None
    images = torch.from_numpy(samples.images).to(device)
    return Surrogates(images, torch.from_numpy(samples.labels).to(device), classes, seed)


def unlearnable(samples: Samples | None, classes: int) -> tuple[str, bool]:
    """Why no network can be trained on these samples, "" if one can; and whether more pictures would do."""
    beside = "needs small networks to compare with, which"
    if samples is None or samples.images.ndim != 4:
        return f"{beside} take pictures only", False
    if classes > MOST_CLASSES or max(samples.images.shape[2:]) > LARGEST:
        return f"{beside} take up to {MOST_CLASSES} classes and pictures of up to {LARGEST} pixels a side", False
    each = np.bincount(samples.labels, minlength=classes)
    if (each >= LEAST_EACH).mean() < ENOUGH:
        return f"{beside} take {LEAST_EACH} pictures or more of most classes; give more with --data", True
    return "", False


@dataclass(frozen=True, eq=False)
class Surrogates:
    """Networks that know no more than the clean samples, so that what they find easy is easy by nature.

    Some classes are near all others: an 8 has strokes of every digit, so a clean network needs less to see one. That is
    a property of the data and not of who trained the model, so that it shows in any network trained on them.

    Attributes:
        images: (N, C, H, W) raw, in [0, 1]; ``labels`` (N,) the classes that they truly are.
    """

    images: Tensor
    labels: Tensor
    classes: int
    seed: int

    @cached_property
    def networks(self) -> tuple[nn.Module, ...]:
        """The trained networks: pictures (N, C, H, W) in [0, 1] to logits (N, K)."""
        return self._trained("normalised")

    @cached_property
    def others(self) -> tuple[tuple[nn.Module, ...], ...]:
        """As many of each of the other kinds, for what differs between kinds."""
        return tuple(self._trained(kind) for kind in KINDS if kind != "normalised")

    def shares(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        """(K,) share of these pictures (n, C, H, W) in [0, 1] that fall into each class by nature.

        The mean over the networks of a kind, and of the kinds the one in which the class takes in the most.
        """
        put = torch.from_numpy(images).to(self.images.device)
        kinds = (self.networks, *self.others)
        with torch.no_grad():
            answers = [torch.cat([network(put).argmax(1) for network in kind]).cpu() for kind in kinds]
        counts = [np.bincount(answer.numpy(), minlength=self.classes) for answer in answers]
        most: NDArray[np.float64] = np.max([count / count.sum() for count in counts], axis=0)
        return most

    def sizes(self, norm: MaskNorm, keep_going: Callable[[float], bool]) -> NDArray[np.float64]:
        """(K,) how many times as small as the median each class's smallest trigger is, as powers of 2; 0 if unknown."""
        return self._agreed([self._sizes(network, norm, keep_going) for network in self.networks])

    def margins(self, keep_going: Callable[[float], bool]) -> NDArray[np.float64]:
        """(K,) how many times as large as the median each class's largest margin is, as powers of 2; 0 if unknown."""
        return self._agreed([-self._margins(network, keep_going) for network in self.networks])

    def _sizes(self, network: nn.Module, norm: MaskNorm, keep_going: Callable[[float], bool]) -> NDArray[np.float64]:
        images = self.images[:: -(-len(self.images) // VICTIMS)]
        with torch.no_grad():
            victims = Victims(images, network(images).argmax(1))
        settings = SearchSettings(steps=STEPS, norm=norm, micro_batch=victims.pass_size)
        found = search_triggers(network, victims, tuple(range(self.classes)), (self.seed,), settings, keep_going)
        return _powers(class_sizes([f.trigger for f in found if f.trigger], self.classes))

    def dreamt(self, ask: Callable[[Callable[[Tensor], Tensor]], NDArray[np.float64]]) -> NDArray[np.float64]:
        """(n,) what ``ask`` says of each network, n sizes of classes or of pairs, as ``sizes`` gives them."""
        return self._agreed([_powers(ask(network)) for network in self.networks])

    def _trained(self, kind: str) -> tuple[nn.Module, ...]:
        with one_thread(), torch.random.fork_rng(devices=[]):  # training makes much of the last bit of a sum
            return tuple(trained(kind, self.images, self.labels, self.classes, self.seed + i) for i in range(NETWORKS))

    def _margins(self, network: nn.Module, keep_going: Callable[[float], bool]) -> NDArray[np.float64]:
        every = torch.arange(self.classes, device=self.images.device)
        shape = tuple(self.images.shape[1:])
        found = largest_margins(network, shape, every, starts=4, steps=40, seed=self.seed, keep_going=keep_going)
        return _powers(found.double().cpu().numpy())

    def _agreed(self, powers: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        """The mean of the networks' figures, as far as they agree: times their correlation over classes or pairs."""
        together = np.stack(powers)
        both = np.isfinite(together).all(0)
        if both.sum() < 3 or not together[:, both].std(axis=1).all():
            return np.zeros(together.shape[1])
        agreement = float(np.asarray(np.corrcoef(together[:, both]))[0, 1])
        agreed: NDArray[np.float64] = np.where(both, together.mean(0) * max(0.0, agreement), 0.0)
        return agreed


def _powers(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many powers of two each value is below the median; NaN for those that mean nothing."""
    positive = np.where(values > 0, values, np.nan)
    if not np.isfinite(positive).any():
        return np.full(len(values), np.nan)
    powers: NDArray[np.float64] = np.log2(np.nanmedian(positive)) - np.log2(positive)
    return powers
