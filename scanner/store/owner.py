"""The runs that hold jobs, and whether they still live."""

from __future__ import annotations

import os
import socket
import time
import uuid
from dataclasses import dataclass, field

from ..processes import place, started

__all__ = ["BEAT", "Owner", "Pulse", "this_owner"]

BEAT = 10.0  # seconds between two signs of life
SILENT = 300.0  # seconds without one after which a run on another host counts as dead
WATCHED = 3 * BEAT  # seconds for which this process has to see no sign itself: clocks of hosts differ


@dataclass(frozen=True)
class Owner:
    """A run.

    Attributes:
        id: of its own, never used again.
        place: of its processes' numbers: host, boot and name space.
        process, started: its number, and when the kernel says that it began; a number alone is used again.
        host: for people.
        beat: its last sign of life, in seconds since 1970 by its own clock.
    """

    id: str
    place: str
    process: int
    started: str
    host: str
    beat: float


def this_owner() -> Owner:
    """This process as a run."""
    return Owner(uuid.uuid4().hex, place(), os.getpid(), started(os.getpid()), socket.gethostname(), time.time())


@dataclass
class Pulse:
    """Tells the dead from the living, by what it has seen until now."""

    seen: dict[str, tuple[float, float]] = field(default_factory=dict)

    def dead(self, owner: Owner) -> bool:
        """Whether nobody works on what this run holds.

        On this machine that is certain at once. Elsewhere it has to be long silent, and watched to be.
        """
        if owner.place == place() and owner.started:
            return started(owner.process) != owner.started
        now = time.monotonic()
        beat, since = self.seen.get(owner.id, (owner.beat, now))
        if beat != owner.beat:
            beat, since = owner.beat, now
        self.seen[owner.id] = beat, since
        return abs(time.time() - owner.beat) > SILENT and now - since >= WATCHED
