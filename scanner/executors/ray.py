"""The jobs on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import OptionError
from . import Executor

if TYPE_CHECKING:
    from ..jobs import Job, Outcome

__all__ = ["Ray"]


@dataclass(frozen=True, kw_only=True)
class Ray(Executor):
    """Do the jobs on the nodes of a Ray cluster; a job whose node or worker is lost is done again on another.

    onnxray must be installed on every node, in the same version. A node that does not see a file is sent it.
    See docs/clusters.md.

    Attributes:
        address: "" joins the cluster that RAY_ADDRESS or this machine has, else starts one here for this run; "auto"
            only joins; "host:port" joins as a node of the cluster does, "ray://host:port" from outside.
        cpus: cores of one job, and its threads.
        gpus: GPUs of one job; a part, such as 0.25, lets several share one. 0 gives a whole one to each job that asks
            for CUDA and none to the others.
        memory: bytes that one job may use, kept free for it on its node; 0 takes the limit of the job, if it has one.
        retries: new tries of a job after its node or its worker was lost.
        workers: most jobs begun or waiting on the cluster; 0 for a few more than it can hold.
        patience: seconds to wait for a node that can hold a job while there is none.
    """

    address: str = ""
    cpus: float = 1.0
    gpus: float = 0.0
    memory: int = 0
    retries: int = 3
    workers: int = 0
    patience: float = 600.0

    def run(
        self, jobs: Iterable[Job], moved: Callable[[Job, str, float], None] = lambda job, text, fraction: None
    ) -> Iterator[tuple[Job, Outcome]]:
        """As every executor.

        Raises:
            OptionError: an option is out of its range, or Ray is not installed.
            ClusterError: the cluster cannot be joined, has no room for a job, or a node has no onnxray of this version.
        """
        from ._ray_cluster import Terms, connected
        from ._ray_flight import Flight

        self._require_ranges()
        terms = Terms(self.cpus, self.gpus, self.memory, self.retries, self.workers, self.patience)
        with connected(self.address):
            flight = Flight(terms, moved)
            try:
                yield from flight.through(iter(jobs))
            finally:
                flight.cancel()

    def _require_ranges(self) -> None:
        if self.cpus <= 0:
            raise OptionError(f"ray: expected cpus > 0, got {self.cpus}")
        for name in ("gpus", "memory", "retries", "workers", "patience"):
            if (value := getattr(self, name)) < 0:
                raise OptionError(f"ray: expected {name} >= 0, got {value}")
        if self.gpus > 1 and self.gpus != int(self.gpus):
            raise OptionError(f"ray: expected a part of one GPU or a whole number of GPUs, got {self.gpus}")
