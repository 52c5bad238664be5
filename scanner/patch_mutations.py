"""Small random changes of a patch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .patches import Patches, colours

__all__ = ["children"]

_Cells = NDArray[np.intp]


def children(
    rng: np.random.Generator, parents: Patches, caps: NDArray[np.int64], shrink: NDArray[np.bool_], count: int
) -> Patches:
    """``count`` changed copies of each of R patches, parent by parent: (R * count).

    Args:
        caps: (R,) most cells that a copy may cover.
        shrink: (R,) whether the patch works already, so that it should lose cells rather than change.
    """
    rows = np.repeat(np.arange(len(parents)), count)
    copies = parents.take(rows)
    for i, row in enumerate(rows):
        _change(rng, copies.on[i], copies.colour[i], int(caps[row]), bool(shrink[row]))
    return copies


def _change(
    rng: np.random.Generator, on: NDArray[np.bool_], colour: NDArray[np.float32], cap: int, shrink: bool
) -> None:
    """Change one patch in place: drop, move, paint, add or shift cells."""
    move = rng.random()
    if shrink and move < 0.5:
        _drop(rng, on)
    elif move < 0.65:
        _paint(rng, on, colour)
    elif move < 0.75:
        _shift(rng, on, colour)
    elif move < 0.85 and not shrink:
        _block(rng, on, colour, cap)
    else:
        _swap(rng, on, colour, cap, grow=not shrink)
    surplus = np.flatnonzero(on)
    if len(surplus) > cap:
        on.flat[rng.permutation(surplus)[cap:]] = False


def _few(rng: np.random.Generator, most: int) -> int:
    """1 to ``most``, mostly few."""
    return 1 + int(rng.random() ** 3 * most)


def _drop(rng: np.random.Generator, on: NDArray[np.bool_]) -> None:
    """Uncover some cells: here and there, or all inside a rectangle, or a border; never all of them."""
    cells = np.flatnonzero(on)
    kind = rng.random()
    if kind < 0.5 or len(cells) < 4:
        gone = rng.permutation(cells)[: _few(rng, len(cells) // 3)]
    else:
        row, column = np.unravel_index(cells, on.shape)
        axis = row if rng.random() < 0.5 else column
        low, high = axis.min(), axis.max()
        edge = _few(rng, (high - low) // 3)
        gone = cells[axis < low + edge] if rng.random() < 0.5 else cells[axis > high - edge]
        if kind > 0.75:
            gone = cells[_inside(rng, row, column)]
    if len(gone) < len(cells):
        on.flat[gone] = False


def _inside(rng: np.random.Generator, row: _Cells, column: _Cells) -> NDArray[np.bool_]:
    """Which cells lie in a random rectangle around one of them."""
    middle = rng.integers(len(row))
    reach = 1 + rng.integers(1 + len(row) ** 0.5 // 3, size=2)
    return (abs(row - row[middle]) < reach[0]) & (abs(column - column[middle]) < reach[1])  # type: ignore[no-any-return]


def _paint(rng: np.random.Generator, on: NDArray[np.bool_], colour: NDArray[np.float32]) -> None:
    cells = np.flatnonzero(on)
    chosen = rng.permutation(cells)[: _few(rng, len(cells))]
    colour.reshape(len(colour), -1)[:, chosen] = colours(rng, len(colour), len(chosen))


def _shift(rng: np.random.Generator, on: NDArray[np.bool_], colour: NDArray[np.float32]) -> None:
    by = tuple(int(d) for d in rng.integers(-2, 3, size=2))
    on[:], colour[:] = np.roll(on, by, axis=(0, 1)), np.roll(colour, by, axis=(1, 2))


def _swap(rng: np.random.Generator, on: NDArray[np.bool_], colour: NDArray[np.float32], cap: int, grow: bool) -> None:
    """Cover other cells, beside covered ones half of the time, and uncover as many where there is no room to grow."""
    covered, free = np.flatnonzero(on), np.flatnonzero(~on)
    if not len(free):
        return
    number = _few(rng, max(1, len(covered) // 3))
    if rng.random() < 0.5:
        near = np.zeros_like(on)
        near[1:] |= on[:-1]
        near[:-1] |= on[1:]
        near[:, 1:] |= on[:, :-1]
        near[:, :-1] |= on[:, 1:]
        beside = np.flatnonzero(near & ~on)
        free = beside if len(beside) else free
    chosen = rng.permutation(free)[:number]
    room = max(0, cap - len(covered)) if grow else 0
    on.flat[rng.permutation(covered)[: max(0, len(chosen) - room)]] = False
    on.flat[chosen] = True
    colour.reshape(len(colour), -1)[:, chosen] = colours(rng, len(colour), len(chosen))


def _block(rng: np.random.Generator, on: NDArray[np.bool_], colour: NDArray[np.float32], cap: int) -> None:
    """Cover a small rectangle in new colours; what was covered before makes room."""
    side = max(1, min(int(cap**0.5), *on.shape))
    height, width = 1 + rng.integers(side, size=2)
    top, left = rng.integers(on.shape[0] - height + 1), rng.integers(on.shape[1] - width + 1)
    here = np.zeros_like(on)
    here[top : top + height, left : left + width] = True
    rest = np.flatnonzero(on & ~here)
    on.flat[rng.permutation(rest)[max(0, cap - int(here.sum())) :]] = False
    on |= here
    colour[:, here] = colours(rng, len(colour), int(here.sum()))
