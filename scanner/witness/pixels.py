"""Which pixels a tensor inside the graph depends on, found by changing some of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ...converters.probe import Probe
    from ..domain import InputDomain

__all__ = ["sensitive_pixels"]

BLOCKS = 512  # parts that are changed at a time, each a row of a batch
BASES = 3


def sensitive_pixels(
    probe: Probe, names: Sequence[str], bases: NDArray[np.float32], domain: InputDomain, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Positions, in a flattened picture (C, H, W), on which the tensors depend; in rising order.

    Blocks of the picture are changed first, and those that matter are split until they are single values.

    Args:
        bases: pictures (N, C, H, W) in [0, 1] around which to look; noise is looked at, too.
    """
    size = bases[0].size
    starts = [*bases[: BASES - 1], rng.random(bases.shape[1:], np.float32)]
    found = set[int]()
    for start in starts:
        parts = np.array_split(np.arange(size), min(size, BLOCKS))
        while parts:
            hit = _matter(probe, names, start, parts, domain, rng)
            found.update(int(part[0]) for part, matters in zip(parts, hit, strict=True) if matters and len(part) == 1)
            larger = [part for part, matters in zip(parts, hit, strict=True) if matters and len(part) > 1]
            parts = [piece for part in larger for piece in np.array_split(part, min(len(part), 8))]
    return np.array(sorted(found), dtype=np.intp)


def _matter(
    probe: Probe, names: Sequence[str], start: NDArray[np.float32], parts: list[NDArray[np.intp]],
    domain: InputDomain, rng: np.random.Generator,
) -> list[bool]:  # fmt: skip
    """For each part whether any of the tensors moves when it is changed to white, black, or noise."""
    hit = np.zeros(len(parts), bool)
    flat = start.reshape(-1)
    for level in (0.0, 1.0, None):
        rows = np.repeat(flat[None], len(parts) + 1, axis=0)
        for row, part in zip(rows[1:], parts, strict=True):
            row[part] = rng.random(len(part), np.float32) if level is None else level
        values = probe.run(domain.to_input(rows.reshape(-1, *start.shape)))
        for name in names:
            value = values[name].reshape(len(values[name]), -1)
            if len(value) == len(rows):
                hit |= ~np.isclose(value[1:], value[:1], rtol=0, atol=0, equal_nan=True).all(1)
    return list(hit)
