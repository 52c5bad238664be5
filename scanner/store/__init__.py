"""What a batch has found, in one SQLite file: the catalog's names, the jobs, the reports and their files."""

from __future__ import annotations

from .errors import StoreError
from .merge import MergeTally
from .store import Store

__all__ = ["MergeTally", "Store", "StoreError"]
