"""Many models: a catalog becomes jobs, an executor does them, a store keeps what comes of them."""

from __future__ import annotations

from .planning import BatchOptions, Plan, plan
from .running import run_batch
from .tally import Tally, Watcher

__all__ = ["BatchOptions", "Plan", "Tally", "Watcher", "plan", "run_batch"]
