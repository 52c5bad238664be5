"""How far a picture is from what it should bring about inside the graph: one number, in numpy and in torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .aims import Aim

__all__ = ["Goal", "margins"]

ROOM = 1e-4  # by how much a decision is to be cleared, in its own units
SLOPE = 1e-2  # how much a tensor behind a reduction counts beside what is judged
FAR = 1e30


@dataclass(frozen=True, eq=False)
class Goal:
    """Aims with the way that each is to go.

    Attributes:
        aims: see ``Aim``.
        signs: for each aim +1 for yes, -1 for no, 0 for whatever.
        toward: for each aim whether what lies behind its reduction is to grow (+1) or to shrink (-1); 0 for no such
            tensor.
    """

    aims: tuple[Aim, ...]
    signs: tuple[float, ...]
    toward: tuple[float, ...]

    def costs(self, values: Mapping[str, NDArray[Any]], rows: int) -> NDArray[np.float64]:
        """Of each of so many pictures: the farthest element counts beside the mean."""
        total = np.zeros(rows)
        for aim, sign, toward in zip(self.aims, self.signs, self.toward, strict=True):
            if not sign:
                continue
            margin = sign * margins(aim, values, rows)
            short = np.maximum(0.0, ROOM - margin) if aim.bounded else None
            total += -margin.max(1) - 1e-3 * margin.mean(1) if short is None else short.max(1) + short.mean(1)
            if toward:
                total -= SLOPE * toward * sign * np.asarray(values[aim.dense], np.float64).reshape(rows, -1).mean(1)
        return total

    def cost(self, values: Mapping[str, Any]) -> Any:
        """The same of one picture, from torch tensors."""
        total: Any = 0.0
        for aim, sign, toward in zip(self.aims, self.signs, self.toward, strict=True):
            if not sign:
                continue
            margin = sign * aim.margin(*(values[name].double() for name in aim.names)).double()
            short = (ROOM - margin).clamp(min=0) if aim.bounded else None
            total = total + (-margin.max() - 1e-3 * margin.mean() if short is None else short.max() + short.mean())
            if toward:
                total = total - SLOPE * toward * sign * values[aim.dense].double().mean()
        return total


def margins(aim: Aim, values: Mapping[str, NDArray[Any]], rows: int) -> NDArray[np.float64]:
    """An aim's margins (rows, elements), finite."""
    with np.errstate(all="ignore"):
        margin = np.asarray(aim.margin(*(np.asarray(values[name], np.float64) for name in aim.names)), np.float64)
    return np.nan_to_num(margin.reshape(rows, -1), nan=0.0, posinf=FAR, neginf=-FAR)
