"""Small squares painted on pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ....scanner.errors import OptionError

__all__ = ["CORNERS", "Patch", "Pattern", "paint"]

Pattern = Literal["solid", "checker", "cross", "noise"]
CORNERS = ((1.0, 1.0), (0.0, 0.0), (0.0, 1.0), (1.0, 0.0))  # bottom right, top left, top right, bottom left


@dataclass(frozen=True)
class Patch:
    """A square of ``size`` pixels.

    Attributes:
        row, column: place, as shares of the room that the square has: 0 is top or left, 1 bottom or right.
        colour: red, green and blue, 0..255; pictures in grey get their mean.
        pattern: "checker" and "cross" alternate the colour with its negative; "noise" is random, the same for a colour.
    """

    size: int
    row: float
    column: float
    colour: tuple[int, int, int]
    pattern: Pattern

    def pixels(self, channels: int) -> NDArray[np.uint8]:
        """(size, size, channels)."""
        y, x = np.mgrid[: self.size, : self.size]
        if self.pattern == "noise":
            values = np.random.default_rng(list(self.colour)).integers(0, 2, (self.size, self.size, 3)) * 255
        else:
            bright = {
                "solid": np.ones_like(x, dtype=bool),
                "checker": (x + y) % 2 == 0,
                "cross": (x == y) | (x + y == self.size - 1),
            }[self.pattern]
            colour = np.array(self.colour)
            values = np.where(bright[..., None], colour, 255 - colour)
        return (values if channels == 3 else values.mean(axis=2, keepdims=True)).astype(np.uint8)

    def corner(self, height: int, width: int) -> tuple[int, int]:
        """Row and column of the upper left pixel.

        Raises:
            OptionError: the square does not fit in, or its place is no share.
        """
        if not (0 < self.size <= min(height, width) and 0 <= self.row <= 1 and 0 <= self.column <= 1):
            place = f"{self.size} pixels at {self.row:g}, {self.column:g}"
            raise OptionError(f"patch: expected one inside {height} x {width} pixels, at shares in 0..1, got {place}")
        return round(self.row * (height - self.size)), round(self.column * (width - self.size))


def paint(images: NDArray[Any], patch: Patch, alpha: float = 1.0) -> NDArray[Any]:
    """A copy of the pictures (N, H, W, C) with the patch on each; below it (1 - alpha) of the picture shows through.

    Raises:
        OptionError: alpha is not in 0..1.
    """
    if not 0 <= alpha <= 1:
        raise OptionError(f"patch: expected an alpha in 0..1, got {alpha:g}")
    row, column = patch.corner(*images.shape[1:3])
    out = images.copy()
    place = out[:, row : row + patch.size, column : column + patch.size]
    place[...] = np.rint((1 - alpha) * place + alpha * patch.pixels(images.shape[3]).astype(np.float64))
    return out
