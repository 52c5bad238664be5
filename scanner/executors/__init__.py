"""Who does the work of a batch: one kind of executor a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..jobs import Job, Outcome

__all__ = ["Executor"]


class Executor(ABC):
    """The contract of an executor: a frozen dataclass whose fields are its options."""

    @abstractmethod
    def run(
        self, jobs: Iterable[Job], moved: Callable[[Job, str, float], None] = lambda job, text, fraction: None
    ) -> Iterator[tuple[Job, Outcome]]:
        """Do the jobs with ``work.do``, several at once, and yield each with its outcome as soon as it has ended.

        ``jobs`` is drawn from only when there is room for another; drawing claims the job, so what is drawn is done,
        unless the caller stops early: closing the iterator ends what is running.

        Args:
            jobs: in the order in which they should begin.
            moved: called from any thread with a job, what it is doing, and the fraction done in [0, 1].
        """
