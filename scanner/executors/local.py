"""Worker processes on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import Executor

if TYPE_CHECKING:
    from ..jobs import Job, Outcome

__all__ = ["Local"]


@dataclass(frozen=True, kw_only=True)
class Local(Executor):
    """Scan several models at once on this machine, each in a process of its own, packed by memory and by GPU.

    Attributes:
        workers: most scans at once; 0 for one a core, or fewer where memory is short.
        memory: bytes that all of them together may use; 0 for four fifths of what is free at the start.
        gpus: "auto" for all that CUDA_VISIBLE_DEVICES allows, "none", or numbers such as "0,1".
    """

    workers: int = 0
    memory: int = 0
    gpus: str = "auto"

    def run(
        self, jobs: Iterable[Job], moved: Callable[[Job, str, float], None] = lambda job, text, fraction: None
    ) -> Iterator[tuple[Job, Outcome]]:
        """See ``Executor.run``."""
        raise NotImplementedError
