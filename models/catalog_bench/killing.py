"""One scan of the whole catalog, killed at random moments and begun again until it ends by itself."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from .building import CATALOG
from .driver import Place, children, kill_scan, peak_of
from .ledger import Row, after_a_kill, ended_jobs

__all__ = ["Moment", "Ordeal", "killed_and_begun_again", "moments"]

_LOOK = 0.2  # seconds between two looks at the store
_MERCY = 10.0  # seconds that what a killed driver had started may live


@dataclass(frozen=True)
class Moment:
    """When something is killed.

    Attributes:
        kind: "driver", "start" (a driver that has just begun), or "scan" (as the kernel does it when memory is short).
        ended: jobs that have to have ended before.
        delay: seconds after that; for "start", after the driver began.
    """

    kind: str
    ended: int
    delay: float


@dataclass
class Ordeal:
    """What came of it.

    Attributes:
        store: of the run.
        kills: kind -> how many.
        code: with which the last run ended; None if the time was over before.
        seconds: from the first run's start to the last one's end.
        driver_memory: most bytes of a driver itself.
        snapshots: the ended jobs after each kill of a driver.
        faults, orphans: what was wrong with the store after a kill; processes that outlived their driver.
    """

    store: Path
    kills: Counter[str] = field(default_factory=Counter)
    code: int | None = None
    seconds: float = 0.0
    driver_memory: int = 0
    snapshots: list[Mapping[str, Row]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)


def moments(kills: int, jobs: int, seed: int) -> list[Moment]:
    """When to kill: spread at random over the run; half are drivers at work, the rest starting ones and scans."""
    draw = random.Random(seed)
    kinds = ["driver" if i % 2 == 0 else ("scan", "start")[i // 2 % 2] for i in range(kills)]
    draw.shuffle(kinds)
    ended = sorted(draw.randrange(max(1, int(0.95 * jobs))) for _ in kinds)
    return [Moment(kind, number, draw.uniform(0.0, 4.0)) for kind, number in zip(kinds, ended, strict=True)]


def killed_and_begun_again(
    place: Place, plan: list[Moment], workers: int, seconds: float, told: Callable[[str], None]
) -> Ordeal:
    """Scan the catalog through all kills; a plan's moment that comes after the end of the run is left out."""
    ordeal, draw = Ordeal(place.folder / "killed.sqlite"), random.Random(len(plan))
    own, started = {*children(os.getpid())}, time.monotonic()
    end = started + seconds
    driver = place.scan([CATALOG], ordeal.store, workers, manifest=True)
    for moment in plan:
        if not _reached(moment, driver, ordeal, end):
            break
        if moment.kind == "scan":
            ordeal.kills["scan"] += kill_scan(driver.pid, draw)
            continue
        driver.kill()
        driver.wait()
        ordeal.kills[moment.kind] += 1
        _look(ordeal, own, f"after kill {ordeal.kills.total()}")
        told(_so_far(ordeal, started))
        driver = place.scan([CATALOG], ordeal.store, workers, manifest=True)
    ordeal.code = _ended(driver, ordeal, end)
    ordeal.seconds = time.monotonic() - started
    ordeal.orphans += [f"{text} in the end" for text in _orphans(own)]
    told(_so_far(ordeal, started))
    return ordeal


def _reached(moment: Moment, driver: subprocess.Popen[bytes], ordeal: Ordeal, end: float) -> bool:
    """Wait for a moment; false if the run was over before."""
    while moment.kind != "start" and len(ended_jobs(ordeal.store)) < moment.ended:
        if driver.poll() is not None or time.monotonic() > end:
            return False
        ordeal.driver_memory = max(ordeal.driver_memory, peak_of(driver.pid))
        time.sleep(_LOOK)
    time.sleep(moment.delay)
    return driver.poll() is None


def _ended(driver: subprocess.Popen[bytes], ordeal: Ordeal, end: float) -> int | None:
    while driver.poll() is None:
        if time.monotonic() > end:
            driver.terminate()
            driver.wait()
            return None
        ordeal.driver_memory = max(ordeal.driver_memory, peak_of(driver.pid))
        time.sleep(_LOOK)
    return driver.returncode


def _look(ordeal: Ordeal, own: set[int], when: str) -> None:
    """What a killed driver has left."""
    ordeal.orphans += [f"{text} {when}" for text in _orphans(own)]
    jobs, fault = after_a_kill(ordeal.store)
    ordeal.snapshots.append(jobs)
    ordeal.faults += [f"{fault} {when}"] if fault else []


def _orphans(own: set[int]) -> Iterator[str]:
    """What still runs and was not there before; it has a few seconds to end, and is ended then."""
    end = time.monotonic() + _MERCY
    while (left := {*children(os.getpid())} - own) and time.monotonic() < end:
        time.sleep(0.05)
    for process in left:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        yield f"process {process} lived on"


def _so_far(ordeal: Ordeal, started: float) -> str:
    kills = ", ".join(f"{number} of a {kind}" for kind, number in sorted(ordeal.kills.items()))
    ended = len(ordeal.snapshots[-1]) if ordeal.code is None and ordeal.snapshots else len(ended_jobs(ordeal.store))
    return f"{time.monotonic() - started:4.0f} s: {ended} scans ended; kills: {kills or 'none'}"
