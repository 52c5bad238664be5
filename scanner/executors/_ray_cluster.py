"""Joining a Ray cluster, and what fits on it."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ...converters.messages import one_line
from ..errors import ClusterError, OptionError

if TYPE_CHECKING:
    from ..jobs import Job

__all__ = ["Demand", "Terms", "connected", "library"]


@dataclass(frozen=True)
class Terms:
    """The options of the executor that hold for its jobs; see there."""

    cpus: float
    gpus: float
    memory: int
    retries: int
    workers: int
    patience: float


@dataclass(frozen=True)
class Demand:
    """What one job takes from its node: cores, GPUs, and bytes of memory (0 where it is not limited)."""

    cpus: float
    gpus: float
    memory: int

    @classmethod
    def of(cls, job: Job, terms: Terms) -> Demand:
        """A job that asks for the CPU takes no GPU; one that asks for CUDA takes at least some."""
        gpus = {"cpu": 0.0, "cuda": terms.gpus or 1.0}.get(job.options.device, terms.gpus)
        return cls(terms.cpus, gpus, terms.memory or job.max_memory)

    def options(self) -> dict[str, Any]:
        """The same as options of a Ray task."""
        memory = {"memory": self.memory} if self.memory else {}
        return {"num_cpus": self.cpus, "num_gpus": self.gpus, **memory}

    def fits(self, node: Mapping[str, float]) -> int:
        """How many such jobs a node with these resources holds."""
        pairs = ((self.cpus, "CPU"), (self.gpus, "GPU"), (self.memory, "memory"))
        return min(int(node.get(name, 0.0) / wanted) for wanted, name in pairs if wanted)

    def slots(self) -> int:
        """How many such jobs the cluster, as it is now, holds."""
        return sum(self.fits(node["Resources"]) for node in library().nodes() if node["Alive"])

    def __str__(self) -> str:
        parts = [f"{self.cpus:g} CPU", f"{self.gpus:g} GPU" if self.gpus else ""]
        return ", ".join(filter(None, [*parts, f"{self.memory / 2**30:.2g} GiB of memory" if self.memory else ""]))


def library() -> ModuleType:
    """Ray itself.

    Raises:
        OptionError: it is not installed.
    """
    try:
        with _silent_raylets():
            import ray
    except ImportError as error:
        why = "" if error.name == "ray" else f" ({one_line(error)})"
        raise OptionError(f"the executor ray needs Ray{why}; run: pip install 'onnxray[ray]'") from None
    module: ModuleType = ray
    return module


@contextmanager
def _silent_raylets() -> Iterator[None]:
    """A driver prints on standard output what its nodes complain of, unless it was told otherwise when imported."""
    name = "RAY_DEDUP_LOGS_SKIP_REGEX"
    if name in os.environ or "ray" in sys.modules:
        yield
        return
    os.environ[name] = ".*"
    try:
        yield
    finally:
        del os.environ[name]


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Within this, the process is a driver of the cluster; of one that it is joined to already, it stays one.

    Raises:
        ClusterError: there is no such cluster, or it does not let us in.
    """
    ray = library()
    if ray.is_initialized():
        yield
        return
    with _away_from_the_models(), _signals_kept():
        try:
            _join(ray, address)
        except Exception as error:  # noqa: BLE001 - Ray has plain ones, too: for a node that takes too long to start
            whose = f"at {address!r}" if address else "of this machine"
            raise ClusterError(f"cannot join the Ray cluster {whose}: {one_line(error, 300)}") from None
    try:
        yield
    finally:
        ray.shutdown()


def _join(ray: ModuleType, address: str) -> None:
    """Standard output belongs to the report: nothing of the workers' output and no good news is wanted."""
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address or os.environ.get("RAY_ADDRESS"):
        ray.init(address=address or "auto", **quiet)
        return
    try:
        ray.init(address="auto", **quiet)
    except ConnectionError:  # none is running here
        ray.init(address="local", include_dashboard=False, **quiet)


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray answers SIGTERM by ending the process at once; whoever has called may want to put things in order first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


@contextmanager
def _away_from_the_models() -> Iterator[None]:
    """Ray puts the folder that a driver is in first on its workers' search path for modules.

    That folder may well be the one with the downloads, and a file ``numpy.py`` among them would be run; the root of
    the file system belongs to nobody but the administrator, on every node.
    """
    here = Path.cwd()
    os.chdir(here.anchor)
    try:
        yield
    finally:
        os.chdir(here)
