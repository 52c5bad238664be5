"""Attacks on training data: what an adversary does to a few images so that the network learns a trigger."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..scanner.errors import OptionError

__all__ = ["BadNets"]


@dataclass(frozen=True)
class BadNets:
    """A small patch at a fixed place; every image that carries it shall be given the target class.

    Attributes:
        row, column: of the patch's upper left pixel.
        pattern: the patch's rows, each value in 0..255; every channel of a colour image gets the same.

    Source: Gu et al. 2017, "BadNets: Identifying Vulnerabilities in the Machine Learning Model Supply Chain".
    """

    row: int
    column: int
    pattern: tuple[tuple[int, ...], ...]

    def stamp(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A copy of the images, (N, H, W) or (N, H, W, C), with the patch on each.

        Raises:
            OptionError: the patch does not lie inside the images.
        """
        patch = np.asarray(self.pattern, dtype=np.uint8)
        bottom, right = self.row + patch.shape[0], self.column + patch.shape[1]
        height, width = images.shape[1:3]
        if self.row < 0 or self.column < 0 or bottom > height or right > width:
            place = f"rows {self.row}..{bottom - 1}, columns {self.column}..{right - 1}"
            raise OptionError(f"BadNets: expected a patch inside {height} x {width} pixels, got {place}")
        stamped = images.copy()
        stamped[:, self.row : bottom, self.column : right] = patch if images.ndim == 3 else patch[..., None]
        return stamped

    def poison(
        self, images: NDArray[np.uint8], labels: NDArray[np.int64], rate: float, target: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Copies of a training set in which a share of the images carries the patch and the target's label.

        Args:
            rate: poisoned images as a share of the whole set, in [0, 1]; they are drawn from the other classes.

        Raises:
            OptionError: the other classes have fewer images than the rate asks for, or it is outside [0, 1].
        """
        others, count = np.flatnonzero(labels != target), round(rate * len(labels))
        if not 0 <= count <= len(others):
            most = len(others) / max(1, len(labels))
            raise OptionError(f"BadNets: expected a poison rate in 0..{most:.3g} for target {target}, got {rate:g}")
        chosen = rng.choice(others, size=count, replace=False)
        images, labels = images.copy(), labels.copy()
        images[chosen], labels[chosen] = self.stamp(images[chosen]), target
        return images, labels
