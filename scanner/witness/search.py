"""Search of a picture on which a gate's aims come true: solved by element, tried pixel by pixel, by gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...converters.probe import Probe
from ..domain import InputDomain
from .aims import Aim
from .descent import descend
from .goals import Goal, margins

if TYPE_CHECKING:
    from torch import fx

__all__ = ["Judge", "Search"]

LEVELS = np.arange(256, dtype=np.float32) / 255
FEW, MANY = 32, 64  # pixels up to which one after the other is tried, first and last
MOST_WAYS = 16  # combinations of yes and no
MIXED = 64  # pictures that tell how a reduction goes with what it reduces

Judge = Callable[[NDArray[np.float32]], bool]
"""Whether a picture (C, H, W) makes the file answer otherwise."""


@dataclass(frozen=True, eq=False)
class Search:
    """A search for one gate.

    Attributes:
        probe: gives the tensors of the aims.
        aims: what has to become true.
        domain: from pictures to inputs.
        pixels: positions in a flattened picture that may be changed.
        deadline: of ``time.monotonic()``.
    """

    probe: Probe
    aims: tuple[Aim, ...]
    domain: InputDomain
    pixels: NDArray[np.intp]
    deadline: float

    def run(self, base: NDArray[np.float32], judge: Judge) -> NDArray[np.float32] | None:
        """The first picture made from a picture (C, H, W) that the judge accepts; quick ways are tried first."""
        start = _rounded(base)
        tried: list[tuple[Goal, NDArray[np.float32]]] = []
        for goal in self._goals(start):
            pictures = [start]
            for way in (self._solved, *([self._pixel_by_pixel] if len(self.pixels) <= FEW else []), self._descended):
                if self._late:
                    return None
                pictures.append(way(start, goal))
                if judge(pictures[-1]):
                    return pictures[-1]
            costs = goal.costs(self._values(np.stack(pictures)), len(pictures))
            tried.append((goal, pictures[int(costs.argmin())]))
        for goal, near in tried if len(self.pixels) <= MANY else ():
            picture = self._pixel_by_pixel(near, goal)
            if judge(picture):
                return picture
        return None

    @property
    def _late(self) -> bool:
        return monotonic() > self.deadline

    @cached_property
    def _network(self) -> fx.GraphModule | None:
        """The part of the graph in torch; None where it does not convert."""
        try:
            return self.probe.network()
        except Exception:  # noqa: BLE001 - a foreign converter on a foreign graph may raise anything
            return None

    def _goals(self, base: NDArray[np.float32]) -> list[Goal]:
        """Ways for the aims to go: other than on this picture first; unbounded ones one at a time, last one first."""
        count = len(self.aims)
        if not all(aim.bounded for aim in self.aims):
            alone = [(i, sign) for i in reversed(range(count)) for sign in (1.0, -1.0)]
            ways = [tuple(sign if j == i else 0.0 for j in range(count)) for i, sign in alone]
        else:
            values = self._values(base[None])
            now = [-1.0 if np.mean(margins(aim, values, 1) > 0) > 0.5 else 1.0 for aim in self.aims]
            flips = sorted(product((1.0, -1.0), repeat=count), key=lambda flip: flip.count(-1.0))[:MOST_WAYS]
            ways = [tuple(one * turn for one, turn in zip(now, flip, strict=True)) for flip in flips]
        rows = self._with(base, np.random.default_rng(0).random((MIXED, len(self.pixels)), np.float32))
        values = self._values(rows)
        toward = self._toward(values)
        goals = [Goal(self.aims, way, toward) for way in ways]
        return [goal for goal in goals if np.ptp(goal.costs(values, MIXED)) > 0]  # no way leads over what is flat

    def _toward(self, values: dict[str, NDArray[Any]]) -> tuple[float, ...]:
        """For each aim whether what is reduced has to grow or to shrink for the margin to grow."""
        found = []
        for aim in self.aims:
            margin = margins(aim, values, MIXED).mean(1)
            dense = np.asarray(values[aim.dense], np.float64).reshape(MIXED, -1).mean(1) if aim.dense else margin
            found.append((-1.0 if np.cov(margin, dense)[0, 1] < 0 else 1.0) if aim.dense else 0.0)
        return tuple(found)

    def _solved(self, base: NDArray[np.float32], goal: Goal) -> NDArray[np.float32]:
        """Where elements stand for pixels one to one: for each the level that suits its element best."""
        values = self._values(self._with(base, np.repeat(LEVELS[:, None], len(self.pixels), axis=1)))
        total = np.zeros((len(LEVELS), len(self.pixels)))
        for aim, sign, toward in zip(goal.aims, goal.signs, goal.toward, strict=True):
            element = values[aim.dense] if toward else margins(aim, values, len(LEVELS))
            element = np.asarray(element, np.float64).reshape(len(LEVELS), -1)
            if sign and element.shape == total.shape:
                total -= sign * (toward or 1.0) * element
        return self._with(base, LEVELS[total.argmin(0)][None])[0] if total.any() else base

    def _descended(self, base: NDArray[np.float32], goal: Goal) -> NDArray[np.float32]:
        """Along the gradient, where there is one; else the picture as it was."""
        if self._network is None:
            return base
        found = descend(self._network, self.probe.names, goal, self.domain, base, self.pixels, self.deadline)
        return _rounded(found)

    def _pixel_by_pixel(self, base: NDArray[np.float32], goal: Goal) -> NDArray[np.float32]:
        """Each pixel in turn at its best level, as long as that helps."""
        picture, best = base, float(goal.costs(self._values(base[None]), 1)[0])
        for _ in range(2 * len(self.pixels)):
            before = best
            for pixel in self.pixels:
                rows = np.repeat(picture[None], len(LEVELS), axis=0)
                rows.reshape(len(rows), -1)[:, pixel] = LEVELS
                costs = goal.costs(self._values(rows), len(rows))
                if costs.min() < best - 1e-12:
                    picture, best = rows[int(costs.argmin())], float(costs.min())
            if best >= before - 1e-12 or self._late:
                break
        return picture

    def _values(self, pictures: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        return self.probe.run(self.domain.to_input(pictures))

    def _with(self, base: NDArray[np.float32], values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Copies of a picture with other values (N, pixels) at the places that may change."""
        rows = np.repeat(base.reshape(1, -1), len(values), axis=0)
        rows[:, self.pixels] = values
        return rows.reshape(-1, *base.shape)


def _rounded(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """The nearest picture of whole bytes."""
    return (np.rint(np.clip(picture, 0, 1) * 255) / 255).astype(np.float32)
