"""How far the jobs on a Ray cluster are: an actor that takes notes, and is asked for them now and then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ._ray_cluster import library

if TYPE_CHECKING:
    from ..jobs import Job

__all__ = ["Board"]


class Board:
    """The actor, as the driver sees it; notes are lost with its node, and nothing waits for them.

    Args:
        moved: called with a job, what it is doing, and the fraction done.
    """

    def __init__(self, moved: Callable[[Job, str, float], None]) -> None:
        self._moved = moved
        self._ray = library()
        made = self._ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=0)(_notebook())
        self.actor = made.options(max_pending_calls=1000).remote()
        self._asked: Any = None

    def tell(self, jobs: Mapping[str, Job]) -> None:
        """Pass on what has come in since the last time, of these jobs by key, without waiting for it."""
        with suppress(self._ray.exceptions.RayError):
            if self._asked is not None:
                ready, _ = self._ray.wait([self._asked], timeout=0)
                if not ready:
                    return
                asked, self._asked = self._asked, None
                for key, (text, fraction) in self._ray.get(asked).items():
                    if key in jobs:
                        self._moved(jobs[key], text, fraction)
            self._asked = self.actor.take.remote()


def _notebook() -> type:
    """The actor's class, made in a function so that Ray sends its code and a node needs no onnxray to run it."""

    class OnnxrayProgress:
        """The last note of each job."""

        def __init__(self) -> None:
            self.notes: dict[str, tuple[str, float]] = {}

        def put(self, key: str, text: str, fraction: float) -> None:
            self.notes[key] = (text, fraction)

        def take(self) -> dict[str, tuple[str, float]]:
            notes, self.notes = self.notes, {}
            return notes

    return OnnxrayProgress
