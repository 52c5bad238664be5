"""Take over what another store holds."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MergeTally"]


@dataclass(frozen=True)
class MergeTally:
    """What came of a merge.

    Attributes:
        names: that the catalog did not have yet.
        added: jobs whose result was taken over.
        same: jobs whose result was here already, the same to the byte.
        conflicts: jobs that both stores had done; what was here stays.
    """

    names: int = 0
    added: int = 0
    same: int = 0
    conflicts: int = 0
