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
from .trigger_search import SearchSettings, search_triggers
from .trigger_sizes import class_sizes
from .victims import Victims

if TYPE_CHECKING:
    from .samples import Samples

__all__ = ["Surrogates", "make_surrogates"]

MOST_CLASSES, LEAST_EACH, LARGEST = 30, 5, 64
NETWORKS, WIDTH, EPOCHS, BATCH, PEAK_RATE, SHIFT = 2, 12, 40, 32, 6e-3, 2
STEPS, VICTIMS = 80, 100


def make_surrogates(samples: Samples, classes: int, seed: int, device: str) -> Surrogates | None:
    """None where there are too many classes, too few pictures of most, or large pictures: nothing would be learnt.

    Args:
        samples: all clean ones. Those that judge the model's triggers may be among them: nothing that is learnt here
            goes into a trigger.
    """
    each = np.bincount(samples.labels, minlength=classes)
    if classes > MOST_CLASSES or max(samples.images.shape[2:]) > LARGEST or (each >= LEAST_EACH).mean() < 0.8:
        return None
    images = torch.from_numpy(samples.images).to(device)
    return Surrogates(images, torch.from_numpy(samples.labels).to(device), classes, seed)


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
        with one_thread(), torch.random.fork_rng(devices=[]):  # training makes much of the last bit of a sum
            return tuple(self._trained(self.seed + i) for i in range(NETWORKS))

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

    def _margins(self, network: nn.Module, keep_going: Callable[[float], bool]) -> NDArray[np.float64]:
        every = torch.arange(self.classes, device=self.images.device)
        shape = tuple(self.images.shape[1:])
        found = largest_margins(network, shape, every, starts=4, steps=40, seed=self.seed, keep_going=keep_going)
        return _powers(found.double().cpu().numpy())

    def _agreed(self, powers: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        """The mean of the networks' figures, as far as they agree: times their correlation over the classes."""
        together = np.stack(powers)
        both = np.isfinite(together).all(0)
        if both.sum() < 3 or not together[:, both].std(axis=1).all():
            return np.zeros(self.classes)
        agreement = float(np.asarray(np.corrcoef(together[:, both]))[0, 1])
        agreed: NDArray[np.float64] = np.where(both, together.mean(0) * max(0.0, agreement), 0.0)
        return agreed

    def _trained(self, seed: int) -> nn.Module:
        """AdamW with one cycle, label smoothing and pictures rolled by up to two pixels: a hundred pictures are few."""
        torch.manual_seed(seed)
        network = _network(self.images.shape[1], self.classes).to(self.images.device)
        steps = EPOCHS * -(-len(self.labels) // BATCH)
        adam = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE, weight_decay=1e-2)
        cycle = torch.optim.lr_scheduler.OneCycleLR(adam, PEAK_RATE, total_steps=steps)
        random = torch.Generator().manual_seed(seed)
        for _ in range(EPOCHS):
            for index in torch.split(torch.randperm(len(self.labels), generator=random), BATCH):
                self._step(network, index.to(self.images.device), adam, random)
                cycle.step()
        return network.eval().requires_grad_(False)

    def _step(self, network: nn.Module, index: Tensor, adam: torch.optim.Optimizer, random: torch.Generator) -> None:
        if len(index) < 2:  # batch normalisation needs two
            return
        moves = torch.randint(-SHIFT, SHIFT + 1, (2,), generator=random).tolist()
        out = network(torch.roll(self.images[index], moves, (2, 3)))
        loss = nn.functional.cross_entropy(out, self.labels[index], label_smoothing=0.1)
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()


def _network(channels: int, classes: int) -> nn.Sequential:
    """Three convolutions that halve the picture twice, and a linear layer: as cheap as can be, it is searched too."""
    widths, layers = (channels, WIDTH, 2 * WIDTH, 2 * WIDTH), list[nn.Module]()
    for i, stride in enumerate((2, 2, 1)):
        layers += [nn.Conv2d(widths[i], widths[i + 1], 3, stride, 1), nn.BatchNorm2d(widths[i + 1]), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(9 * widths[3], classes))


def _powers(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many powers of two each value is below the median; NaN for those that mean nothing."""
    positive = np.where(values > 0, values, np.nan)
    if not np.isfinite(positive).any():
        return np.full(len(values), np.nan)
    powers: NDArray[np.float64] = np.log2(np.nanmedian(positive)) - np.log2(positive)
    return powers
