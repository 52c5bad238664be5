"""The scan's bookkeeping: what ran, what was skipped, what failed, and how long each stage took."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

from .findings import Failure, Skipped

__all__ = ["Ledger"]


@dataclass
class Ledger:
    """Filled in while a scan runs, so that silence is never mistaken for a pass."""

    progress: Callable[[str, float], None]
    ran: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=monotonic)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage and tell that it has begun."""
        self.progress(name, 0.0)
        started = monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(monotonic() - started, 3)

    def tells(self, check: str) -> bool:
        """Whether a check was due: it ran, was skipped or broke."""
        return check in (*self.ran, *(note.check for note in (*self.skipped, *self.failures)))  # type: ignore[attr-defined]

    def check(self, check: str, complaint: str | None = None) -> None:
        """Note a check that ran; a complaint makes it a failure."""
        if complaint:
            self.failed(check, complaint)
        else:
            self.ran.append(check)

    def skip(self, check: str, why: str, due: bool = True) -> None:
        """Note a check that could not be run, and whether it was due (see ``Skipped``)."""
        self.skipped.append(Skipped(check, why, due))

    def failed(self, check: str, why: str, trace: str = "") -> None:
        """Note a check that was due and broke, with the traceback if there is one."""
        self.failures.append(Failure(check, why, trace))
