"""What can be wrong with a store."""

from __future__ import annotations

from ..errors import OnnxrayError

__all__ = ["StoreError"]


class StoreError(OnnxrayError):
    """The store cannot be opened, read or written: foreign, damaged, newer, read-only, locked, or the disk is full."""
