"""The real command line as a process that can be killed, and the processes that it starts."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from .building import MANIFEST
from .copies import PICTURES

__all__ = ["QUICK", "Place", "adopted_orphans", "children", "kill_scan", "peak_of"]

QUICK = (
    *("--detector", "last-layer", "--detector", "neuron-inspect", "--samples", "60"),
    *("--device", "cpu", "--max-memory", "3"),
)
"""Of every scan: two methods that search nothing, on few pictures, so that a scan takes seconds."""
_PROGRAM = (sys.executable, "-P", "-m", "onnxray.scanner")
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER


@dataclass(frozen=True)
class Place:
    """Where command lines run.

    Attributes:
        folder: the current folder of all of them, which holds the catalog; and ``temporary``, their TMPDIR.
        program: what is run in place of ``onnxray``.
        options: of every scan.
    """

    folder: Path
    program: Sequence[str] = _PROGRAM
    options: Sequence[str] = QUICK
    temporary: Path = field(init=False)

    def __post_init__(self) -> None:
        """Make the folder for temporary files."""
        object.__setattr__(self, "temporary", self.folder / "temporary")
        self.temporary.mkdir(exist_ok=True)

    def scan(self, paths: Sequence[str], store: Path, workers: int, manifest: bool = False) -> subprocess.Popen[bytes]:
        """Begin ``onnxray scan``; its table is thrown away, its messages are added to ``STORE.log``."""
        arguments = ["scan", *paths, "--data", str(PICTURES), "--store", str(store), "--workers", str(workers)]
        arguments += ["--manifest", MANIFEST] if manifest else []
        with store.with_suffix(".log").open("ab") as log:
            return self._begun([*arguments, *self.options], log)

    def results(self, store: Path, *options: str) -> int:
        """Run ``onnxray results`` to its end, and return its exit code."""
        with store.with_suffix(".log").open("ab") as log:
            return self._begun(["results", str(store), *options], log).wait()

    def _begun(self, arguments: Sequence[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*self.program, *arguments],
            cwd=self.folder,
            env={**os.environ, "TMPDIR": str(self.temporary)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )


@contextmanager
def adopted_orphans() -> Iterator[None]:
    """Be the parent of whatever outlives its own, so that ``children`` sees it; where Linux is not, nothing is seen."""
    if not sys.platform.startswith("linux"):
        yield
        return
    prctl = ctypes.CDLL(None).prctl
    prctl(_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(_SUBREAPER, 0, 0, 0, 0)


def children(process: int) -> list[int]:
    """The processes that a process has started, by whichever of its threads, and that still run."""
    found = set[int]()
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            found |= {int(child) for child in task.read_text(encoding="ascii").split()}
    return sorted(child for child in found if not _ended(child))


def kill_scan(driver: int, draw: random.Random, seconds: float = 20.0) -> bool:
    """Kill one of the scans that a driver has started; false if none was seen in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := children(driver):
            with suppress(ProcessLookupError):
                os.kill(draw.choice(found), signal.SIGKILL)
                return True
        time.sleep(0.05)
    return False


def peak_of(process: int) -> int:
    """The most memory that a process has held until now, in bytes; 0 where the system does not tell."""
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def _ended(process: int) -> bool:
    """Whether it is gone; one that was adopted and has ended is buried here."""
    with suppress(OSError):  # not this process's child
        if os.waitpid(process, os.WNOHANG)[0] == process:
            return True
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"
