"""One job of a batch, done on the machine that this is called on."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from ..converters.messages import one_line
from .errors import OnnxrayError
from .jobs import Job, Outcome
from .scratch import scratch_folder

if TYPE_CHECKING:
    from .confined_scan import ConfinedScan
    from .findings import Report

__all__ = ["Share", "do"]

Progress = Callable[[str, float], None]
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_in_process = Lock()  # torch has one thread count for a process: two scans in one would disturb each other


class _Stopped(BaseException):
    """The scan was told to stop; not an Exception, so that it passes whatever catches the errors of one method."""


@dataclass(frozen=True)
class Share:
    """What of the machine a job may use.

    Attributes:
        threads: of the scan's process; 0 for what the environment says, or else every core.
        gpus: value of CUDA_VISIBLE_DEVICES; None leaves it as it is, "" hides all.
    """

    threads: int = 0
    gpus: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The variables that hold a process to it."""
        found = dict.fromkeys(_THREADS, str(self.threads)) if self.threads else {}
        return found if self.gpus is None else {**found, "CUDA_VISIBLE_DEVICES": self.gpus}


_ALL = Share()


def do(
    job: Job,
    progress: Progress = lambda text, fraction: None,
    *,
    share: Share = _ALL,
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Scan one model and return what is to be stored; whatever the model does, this returns.

    Args:
        job: what to scan.
        progress: called with what is being done and the fraction done in [0, 1].
        share: what it may use; a scan without a sandbox runs in this process and uses what that has.
        stop: asked several times a second; true ends a confined scan soon, with an outcome that is not lasting.
    """
    started = monotonic()
    try:
        outcome = _scanned(job, progress, share, stop)
    except OnnxrayError as error:
        outcome = Outcome(error=one_line(error, 1000))
    except MemoryError:
        outcome = Outcome(error="this machine's memory ran out beside the scan", lasting=False)
    except OSError as error:  # no process, no temporary folder: the machine's trouble
        outcome = Outcome(error=f"this machine could not run the scan: {one_line(error)}", lasting=False)
    except Exception as error:  # noqa: BLE001 - a mistake of ours in one scan must not end the others
        outcome = _mistake(error)
    worker = f"{socket.gethostname()}:{os.getpid()}"
    return replace(outcome, seconds=monotonic() - started, worker=worker)


def _mistake(error: Exception) -> Outcome:
    told = one_line(error, 500)
    if any(f"[Errno {number}]" in told for number in _FULL):
        return Outcome(error=f"the scan could not write its temporary files: {told}", lasting=False)
    kind = "" if type(error).__name__ == "Fault" else f"{type(error).__name__}: "
    return Outcome(error=f"a mistake of onnxray itself, please report it: {kind}{told}")


def _scanned(job: Job, progress: Progress, share: Share, stop: Callable[[], bool]) -> Outcome:
    from .catalog import local
    from .confined_scan import limits_for, watch_scan

    with scratch_folder() as scratch, local(job, Path(scratch)) as path, _called(job, path):
        options = replace(job.options, tolerant=True)  # the pictures may be those of other models of the batch
        arguments: dict[str, object] = {"path": path, "data": job.data, "options": options}
        if job.training_data is not None:
            arguments["training_data"] = job.training_data
        if not job.sandbox:
            return _unconfined(job, arguments, progress, stop)
        limits = limits_for(job.options, job.max_memory)
        ended = watch_scan(arguments, limits, progress, environment=share.environment, stop=stop)
    return _of(job, ended)


@contextmanager
def _called(job: Job, path: Path) -> Iterator[None]:
    """Errors without where the file lies on this machine; whose they are is known."""
    try:
        yield
    except OnnxrayError as error:
        raise OnnxrayError(str(error).removeprefix(f"{path}: ").replace(str(path), job.name)) from error


def _unconfined(job: Job, arguments: dict[str, object], progress: Progress, stop: Callable[[], bool]) -> Outcome:
    from .pipeline import scan

    def moved(text: str, fraction: float) -> None:
        if stop():
            raise _Stopped
        progress(text, fraction)

    try:
        with _in_process:
            return _kept(job, scan(**arguments, progress=moved))  # type: ignore[arg-type]  # made by _scanned
    except _Stopped:
        return Outcome(error="it was told to stop", lasting=False)


def _of(job: Job, ended: ConfinedScan) -> Outcome:
    if ended.died is None:
        return replace(_kept(job, ended.report), peak_memory=ended.peak_memory)
    if ended.died.code == "stopped":
        return Outcome(error=ended.died.why, lasting=False, peak_memory=ended.peak_memory)
    # What the file is was settled when it was listed; here it may not even have been opened.
    facts = replace(ended.report.model, sha256=job.sha256, size_bytes=job.size_bytes)
    kept = _kept(job, replace(ended.report, model=facts))
    error = "" if ended.died.lasting else one_line(f"the scan's process was lost: {ended.died.why}", 1000)
    return replace(kept, error=error, lasting=ended.died.lasting, peak_memory=ended.peak_memory)


def _kept(job: Job, report: Report) -> Outcome:
    """The report as it is stored, under the name that the catalog has for the model."""
    from .contract import encode
    from .reports import written

    if report.model.sha256 != job.sha256:
        return Outcome(error=f"{job.name}: changed since the catalog was made; scan the catalog again")
    contract, files = written(replace(report, model=replace(report.model, path=job.name)))
    return Outcome(report=encode(contract), files=files)
