"""Where a batch stands, and who wants to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..jobs import Job, Outcome

__all__ = ["Tally", "Watcher"]


@dataclass(frozen=True, kw_only=True)
class Tally:
    """How many models of a batch stand where; a model with several names counts once.

    Attributes:
        total: models of this shard, and what could not be scanned.
        done: with a report.
        failed: whose scan ended without one.
        unscanned: see ``catalog.Unscanned``.
        waiting: neither; here or at another run on the same store.
        reused: of ``done`` and ``failed``, those that were so before this run began.
        labels: verdict -> number of those done.
    """

    total: int = 0
    done: int = 0
    failed: int = 0
    unscanned: int = 0
    waiting: int = 0
    reused: int = 0
    labels: Mapping[str, int] = field(default_factory=dict)


class Watcher:
    """Is told what happens in a batch; each method does nothing until a subclass says otherwise."""

    def planned(self, tally: Tally) -> None:
        """The catalog is recorded; nothing has begun. ``tally.reused`` is what an earlier run has done."""

    def began(self, job: Job) -> None:
        """A job is handed to the executor, which begins it as soon as it has room."""

    def moved(self, job: Job, text: str, fraction: float) -> None:
        """A job is at something; ``fraction`` done in [0, 1]. Called from any thread."""

    def ended(self, job: Job, outcome: Outcome, tally: Tally) -> None:
        """A try of a job has ended and is stored; it comes again where ``outcome.lasting`` is false."""

    def told(self, line: str) -> None:
        """Something else that a person may want to know, such as a wait for another run."""
