"""Clean samples: labelled pictures with the domain that turns them into the model's input."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .domain import InputDomain

__all__ = ["Samples", "stratified"]


WAYS = tuple((down, right) for down in (0, -1, 1) for right in (0, -1, 1))
"""To move a picture by at most a pixel in every direction, the first of them not at all."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Clean labelled pictures, all of the model's size, in the raw domain.

    Attributes:
        images: (N, C, H, W) float32 in [0, 1]; C is 1 or 3 (RGB).
        labels: (N,) int64, each in 0..K-1.
        domain: maps ``images`` to the model's input.
        class_names: names of the classes by index; empty if unknown.
        source: where they came from, for messages.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    domain: InputDomain
    class_names: tuple[str, ...] = ()
    source: str = ""

    def __len__(self) -> int:
        return len(self.labels)

    def inputs(self) -> NDArray[np.float32]:
        """The pictures in the model's own input domain."""
        return np.ascontiguousarray(self.domain.to_input(self.images), dtype=np.float32)

    def take(self, index: NDArray[np.intp]) -> Samples:
        """The samples at these positions."""
        return replace(self, images=self.images[index], labels=self.labels[index])

    def outside(self, classes: Collection[int]) -> Samples:
        """The samples that are of none of these classes."""
        return self.take(np.flatnonzero(~np.isin(self.labels, list(classes))))

    def draw(self, most: int, seed: int) -> Samples:
        """At most so many samples, the classes shared as evenly as they allow."""
        return self.take(stratified(self.labels, most, seed))

    def moved(self) -> Samples:
        """The pictures and each moved by a pixel in every direction: nine times as many, of no further sample."""
        images = np.concatenate([self.shifted(way).images for way in WAYS])
        return replace(self, images=images, labels=np.tile(self.labels, len(WAYS)))

    def shifted(self, way: tuple[int, int]) -> Samples:
        """Every picture moved by so many pixels (down, right); what leaves it comes in again on the other side."""
        return replace(self, images=np.roll(self.images, way, (2, 3)))

    def each_moved(self, index: NDArray[np.intp], ways: NDArray[np.intp]) -> Samples:
        """The samples at these positions, each moved in a way of its own: ``WAYS`` at the same place of ``ways``."""
        moved = [np.roll(self.images[i], WAYS[way], (1, 2)) for i, way in zip(index, ways, strict=True)]
        return replace(self, images=np.stack(moved), labels=self.labels[index])

    def halves(self, seed: int) -> tuple[Samples, Samples]:
        """Two disjoint halves with the classes shared evenly: one to optimise on, one to verify with.

        Args:
            seed: of the shuffle inside each class.
        """
        rng = np.random.default_rng(seed)
        classes = rng.permutation(np.unique(self.labels))  # which half gets the odd one out is left to chance
        order = np.concatenate([[], *(rng.permutation(np.flatnonzero(self.labels == c)) for c in classes)]).astype(int)
        return self.take(np.sort(order[0::2])), self.take(np.sort(order[1::2]))


def stratified(labels: NDArray[np.int64], limit: int, seed: int) -> NDArray[np.intp]:
    """Positions of at most ``limit`` samples, the classes shared as evenly as the labels allow, in rising order.

    Where ``limit`` is smaller than the number of classes, the classes themselves are drawn.
    """
    rng = np.random.default_rng(seed)
    rank = np.empty(len(labels), dtype=np.int64)  # how many of its own class come before a sample in a random order
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        rank[rng.permutation(members)] = np.arange(len(members))
    return np.sort(np.lexsort((rng.random(len(labels)), rank))[:limit])
