"""Paths through a model's graph as one drawing: nodes in layers from the input down to the effect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ....converters.messages import one_line

__all__ = ["Box", "Drawing", "drawing"]

WIDTH, HEIGHT, GAP, SPACE = 230, 34, 26, 22  # of a box, and between boxes
LETTERS = 30  # of a name in a box
ENDS = (4, 6)  # nodes kept of either end of a path that is too long
PATHS = 6  # drawn at most


@dataclass(frozen=True)
class Box:
    """One node: its place, its name in full and as shown, and whether it is where a finding is."""

    x: int
    y: int
    name: str
    shown: str
    look: str


@dataclass(frozen=True)
class Drawing:
    """A drawing of ``width`` x ``height``: boxes, and the lines (x1, y1, x2, y2) from box to box."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    edges: tuple[tuple[int, int, int, int], ...]
    left_out: int


def drawing(paths: Iterable[Sequence[str]], marked: Iterable[str]) -> Drawing | None:
    """All paths in one drawing, shared nodes once; None where there is no path.

    Args:
        paths: each from the input to the effect.
        marked: nodes where a finding is.
    """
    distinct = list(dict.fromkeys(tuple(_shortened(path)) for path in paths if path))
    if not distinct:
        return None
    layers = _layers(distinct[:PATHS])
    columns: dict[int, int] = {}
    places: dict[str, tuple[int, int]] = {}
    for name, layer in layers.items():
        places[name] = (columns.get(layer, 0) * (WIDTH + SPACE) + 1, layer * (HEIGHT + GAP) + 1)
        columns[layer] = columns.get(layer, 0) + 1
    found = set(marked)
    ends = {path[-1] for path in distinct}
    boxes = [Box(*place, name, _middle(name), _look(name, found, ends)) for name, place in places.items()]
    links = dict.fromkeys((a, b) for path in distinct[:PATHS] for a, b in pairwise(path) if a != b)
    width, height = max(columns.values()) * (WIDTH + SPACE) - SPACE + 2, (max(columns) + 1) * (HEIGHT + GAP) - GAP + 2
    return Drawing(
        width, height, tuple(boxes), tuple(_edge(places[a], places[b]) for a, b in links), len(distinct) - PATHS
    )


def _shortened(path: Sequence[str]) -> list[str]:
    first, last = ENDS
    if len(path) <= first + last + 1:
        return list(path)
    return [*path[:first], f"… {len(path) - first - last} more nodes …", *path[-last:]]


def _layers(paths: Sequence[Sequence[str]]) -> dict[str, int]:
    """Each node's layer: below all that stand before it on any path; the attacker's loops end after a few rounds."""
    layers: dict[str, int] = {}
    for _ in range(len(paths) + 1):
        for path in paths:
            for place, name in enumerate(path):
                above = layers[path[place - 1]] + 1 if place else 0
                layers[name] = max(layers.get(name, 0), above if name not in path[:place] else 0)
    used = {layer: i for i, layer in enumerate(sorted(set(layers.values())))}
    return {name: used[layer] for name, layer in layers.items()}


def _edge(start: tuple[int, int], end: tuple[int, int]) -> tuple[int, int, int, int]:
    return start[0] + WIDTH // 2, start[1] + HEIGHT, end[0] + WIDTH // 2, end[1]


def _look(name: str, found: set[str], ends: set[str]) -> str:
    return "found" if name in found else "end" if name in ends else "node"


def _middle(name: str) -> str:
    """A name with its middle left out, where it is long."""
    name, half = one_line(name, 400), LETTERS // 2
    return name if len(name) <= LETTERS else f"{name[: half - 1]}…{name[-half:]}"
