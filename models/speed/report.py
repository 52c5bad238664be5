"""Everything that ``onnxray bench speed`` measured: the JSON it writes."""

from __future__ import annotations

from dataclasses import dataclass

from . import norms, stamping
from .machine import Machine
from .search import SearchRow

__all__ = ["Report"]


@dataclass(frozen=True, kw_only=True)
class Report:
    """The parts that were not asked for are empty."""

    machine: Machine
    rounds: int
    search_rounds: int
    seed: int
    norms: list[norms.Row]
    stamp: list[stamping.Row]
    search: SearchRow | None
    format: str = "onnxray/bench-speed/1"
