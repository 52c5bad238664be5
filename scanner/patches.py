"""Opaque patches on a grid of cells: what a search without gradients tries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Grid", "Patches", "colours", "donors", "random_patches"]

_SMALL = 8  # cells: side of the largest of the small random rectangles, which are most of them


@dataclass(frozen=True)
class Grid:
    """Cells of whole pixels that cover a picture; a patch covers a cell wholly or not at all.

    Attributes:
        channels, height, width: of the picture.
        cell: side of a cell in pixels; those at the lower and right border may be cut off.
    """

    channels: int
    height: int
    width: int
    cell: int

    @classmethod
    def of(cls, images: NDArray[np.float32], most: int) -> Grid:
        """The finest grid with at most ``most`` cells a side, for pictures (N, C, H, W)."""
        _, channels, height, width = images.shape
        return cls(channels, height, width, -(-max(height, width) // most))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return -(-self.height // self.cell), -(-self.width // self.cell)

    def pixels(self, cells: NDArray[np.generic]) -> NDArray[np.generic]:
        """An array (..., rows, columns) of cells as (..., H, W) of pixels."""
        spread = cells.repeat(self.cell, axis=-2).repeat(self.cell, axis=-1)
        return spread[..., : self.height, : self.width]

    def cells(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Pictures (N, C, H, W) as the colours of their cells' first pixels (N, C, rows, columns)."""
        return images[..., :: self.cell, :: self.cell]


@dataclass(frozen=True, eq=False)
class Patches:
    """R patches.

    Attributes:
        on: (R, rows, columns) bool, the cells that are covered.
        colour: (R, C, rows, columns) float32 in [0, 1], what they are covered with; elsewhere of no effect.
    """

    on: NDArray[np.bool_]
    colour: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.on)

    @property
    def size(self) -> NDArray[np.int64]:
        """(R,) covered cells."""
        count: NDArray[np.int64] = self.on.sum(axis=(1, 2))
        return count

    def take(self, index: NDArray[np.intp]) -> Patches:
        """The patches at these positions."""
        return Patches(self.on[index], self.colour[index])

    def put(self, index: NDArray[np.intp], others: Patches) -> Patches:
        """These patches with those at ``index`` replaced by ``others``."""
        on, colour = self.on.copy(), self.colour.copy()
        on[index], colour[index] = others.on, others.colour
        return Patches(on, colour)

    @staticmethod
    def join(*parts: Patches) -> Patches:
        """All of them, one after the other."""
        return Patches(np.concatenate([p.on for p in parts]), np.concatenate([p.colour for p in parts]))


def random_patches(rng: np.random.Generator, grid: Grid, images: NDArray[np.float32], count: int) -> Patches:
    """``count`` rectangles of all sorts: any place, corners and borders often; plain, chequered, noisy or cut out.

    Args:
        images: (N, C, H, W) real pictures, of which pieces are cut.
    """
    rows, columns = grid.shape
    on = np.zeros((count, rows, columns), np.bool_)
    colour = np.zeros((count, grid.channels, rows, columns), np.float32)
    pieces = grid.cells(images)
    for i in range(count):
        most = _SMALL if rng.random() < 0.75 else max(rows, columns)
        height, width = _length(rng, most), _length(rng, most)
        if rng.random() < 0.5:
            width = height
        top, height = _span(rng, rows, height)
        left, width = _span(rng, columns, width)
        on[i, top : top + height, left : left + width] = True
        colour[i] = _filling(rng, pieces, (rows, columns))
    return Patches(on, colour)


def donors(grid: Grid, images: NDArray[np.float32]) -> Patches:
    """Whole pictures as patches: each is sure to be taken for what it shows, whatever it covers."""
    return Patches(np.ones((len(images), *grid.shape), np.bool_), grid.cells(images).astype(np.float32))


def colours(rng: np.random.Generator, channels: int, count: int) -> NDArray[np.float32]:
    """(C, count) colours, alike or each its own: mostly black, white and the other corners of the colour cube."""
    plain = 1 if rng.random() < 0.5 else count
    drawn = rng.random((channels, plain))
    if rng.random() < 0.7:
        drawn = np.round(drawn if rng.random() < 0.5 else np.repeat(drawn[:1], channels, axis=0))
    return np.broadcast_to(drawn, (channels, count)).astype(np.float32)


def _length(rng: np.random.Generator, most: int) -> int:
    """1 to ``most``, about log-uniform."""
    return int(np.exp(rng.uniform(0, np.log(most + 1))))


def _span(rng: np.random.Generator, cells: int, length: int) -> tuple[int, int]:
    """Start and length of a stretch among so many cells; near either end more than half of the time."""
    length = min(cells, length)
    room = cells - length
    if rng.random() < 0.6:
        inset = min(room, int(rng.integers(4)))
        return (inset if rng.random() < 0.5 else room - inset), length
    return int(rng.integers(room + 1)), length


def _filling(rng: np.random.Generator, pieces: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """(C, rows, columns): one colour, two in turns, noise, or a piece of a real picture from anywhere in it."""
    channels = pieces.shape[1]
    kind = rng.random()
    if kind < 0.45:
        return np.broadcast_to(colours(rng, channels, 1)[:, :, None], (channels, *shape))
    if kind < 0.65:
        pair = np.stack([colours(rng, channels, 1)[:, 0], colours(rng, channels, 1)[:, 0]], axis=1)
        turn = np.indices(shape).sum(axis=0) if rng.random() < 0.7 else np.indices(shape)[rng.integers(2)]
        return pair[:, turn % 2]
    if kind < 0.85:
        return colours(rng, channels, shape[0] * shape[1]).reshape(channels, *shape)
    piece = pieces[rng.integers(len(pieces))]
    return np.roll(piece, (int(rng.integers(shape[0])), int(rng.integers(shape[1]))), axis=(1, 2))
