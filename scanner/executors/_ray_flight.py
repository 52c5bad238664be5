"""The jobs that are begun or waiting on a Ray cluster: filled up, watched, tried again when a node is lost."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING, Any

from ...converters.messages import one_line
from ..batch.identity import Contents
from ..errors import ClusterError
from ..jobs import Outcome
from ..version import __version__
from ._ray_board import Board
from ._ray_cluster import Demand, Terms, library
from ._ray_files import Lacking, files_of, marks, pack, placed
from ._ray_node import Asked, remote_answer

if TYPE_CHECKING:
    from ..jobs import Job

__all__ = ["WORK", "Flight"]

WORK = "onnxray.scanner.work:do"  # what a node does with a job
_TICK = 1.0  # seconds: how often progress is asked for while no job ends
_LOOK = 5.0  # seconds: how often the nodes are counted
_KEPT = 8  # archives and sets of pictures held for further jobs


@dataclass(frozen=True)
class Try:
    """A job under way.

    Attributes:
        losses: tries before this one whose node or worker was lost.
        sent: field of the job -> reference to its parcel; held here, it is kept for whichever node takes the job.
    """

    job: Job
    losses: int = 0
    sent: dict[str, Any] = field(default_factory=dict)


class Flight:
    """All jobs of one run.

    Args:
        terms: the executor's options.
        moved: called with a job, what it is doing, and the fraction done.
    """

    def __init__(self, terms: Terms, moved: Callable[[Job, str, float], None]) -> None:
        self._terms = terms
        self._ray = library()
        self._remote = self._ray.remote(max_retries=0)(remote_answer())
        self._board, self._contents = Board(moved), Contents()
        self._pending: dict[Any, Try] = {}
        self._shared: dict[tuple[str, str], Any] = {}  # parcels that many jobs want, the last used last
        self._room, self._looked, self._had_room = 1, -_LOOK, monotonic()

    def through(self, jobs: Iterator[Job]) -> Iterator[tuple[Job, Outcome]]:
        """Do all jobs, drawing one only when there is room for it, and yield each as it ends.

        Raises:
            ClusterError: as ``Ray.run``.
        """
        while True:
            self._fill(jobs)
            if not self._pending:
                return
            self._look()
            ended, _ = self._ray.wait(list(self._pending), num_returns=1, timeout=_TICK)
            self._board.tell({tried.job.key: tried.job for tried in self._pending.values()})
            for reference in ended:
                tried = self._pending.pop(reference)
                if (outcome := self._settled(reference, tried)) is not None:
                    yield tried.job, outcome

    def cancel(self) -> None:
        """End whatever is under way; without a connection, Ray has done so already."""
        for reference in self._pending if self._ray.is_initialized() else ():
            with suppress(self._ray.exceptions.RayError):
                self._ray.cancel(reference, force=True)
        self._pending.clear()

    def _fill(self, jobs: Iterator[Job]) -> None:
        while len(self._pending) < (self._terms.workers or self._room):
            if (job := next(jobs, None)) is None:
                break
            self._submit(Try(job))
            self._look()

    def _look(self) -> None:
        """Count the nodes' room for the jobs under way, as nodes come and go."""
        if not self._pending or monotonic() - self._looked < _LOOK:
            return
        self._looked = monotonic()
        demands = {Demand.of(tried.job, self._terms) for tried in self._pending.values()}
        slots = [demand.slots() for demand in demands]
        if any(slots):
            self._had_room = monotonic()
        elif monotonic() - self._had_room > self._terms.patience:
            raise ClusterError(
                f"no node of the Ray cluster has had {next(iter(demands))} for {self._terms.patience:g} seconds, "
                "which one job needs; start such a node, or ask for less"
            )
        self._room = max(slots) + max(slots) // 4 + 1

    def _submit(self, tried: Try) -> None:
        demand = Demand.of(tried.job, self._terms)
        job = placed(tried.job, {name: path.absolute() for name, path in files_of(tried.job).items()})
        asked = Asked(
            job=replace(job, max_memory=demand.memory),
            marks=marks(job, self._contents),
            work=WORK,
            threads=max(1, int(self._terms.cpus)),
        )
        task = self._remote.options(name="onnxray", **demand.options())
        self._pending[task.remote(__version__, pickle.dumps(asked), self._board.actor, tried.sent)] = tried

    def _settled(self, reference: Any, tried: Try) -> Outcome | None:
        """What a try came to; None if another one is under way.

        Raises:
            ClusterError: the node has no onnxray of this version.
        """
        errors = self._ray.exceptions
        try:
            answer = self._ray.get(reference)
        except errors.RayTaskError as error:
            why = f"{type(error.cause).__name__}: {one_line(error.cause, 300)}"
            return Outcome(error=f"the node failed: {why}", lasting=False)
        except errors.RayError as error:
            return self._after_loss(tried, error)
        if isinstance(answer, Outcome):
            return answer
        if isinstance(answer, Lacking):
            return self._after_sending(tried, answer)
        raise ClusterError(f"{one_line(answer, 300)}; install onnxray {__version__} on every node of the Ray cluster")

    def _after_loss(self, tried: Try, error: Exception) -> Outcome | None:
        if tried.losses < self._terms.retries:
            self._submit(replace(tried, losses=tried.losses + 1))
            return None
        lost = f"its node or its worker was lost {tried.losses + 1} times"
        return Outcome(error=f"{lost}; the last time: {one_line(error, 200)}", lasting=False)

    def _after_sending(self, tried: Try, lacking: Lacking) -> Outcome | None:
        try:
            parcels = {name: self._parcel(tried.job, name) for name in lacking.fields if name not in tried.sent}
        except ClusterError as error:
            return Outcome(error=f"{lacking.node} has not the same file: {error}", lasting=False)
        self._submit(replace(tried, sent={**tried.sent, **parcels}))
        return None

    def _parcel(self, job: Job, name: str) -> Any:
        """Reference to a parcel in Ray's object store, from where each node fetches it once."""
        if name == "path" and not job.member:
            return self._ray.put(pack(job, name))
        key = name, str(files_of(job)[name])
        reference = self._shared.pop(key, None) or self._ray.put(pack(job, name))
        self._shared[key] = reference
        while len(self._shared) > _KEPT:
            del self._shared[next(iter(self._shared))]
        return reference
