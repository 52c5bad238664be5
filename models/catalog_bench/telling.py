"""The numbers and the checks as one table."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping

from . import Check
from .driver import QUICK
from .measuring import Numbers
from .pace import Undisturbed

__all__ = ["lines"]

_MIB = 1 << 20


def lines(numbers: Numbers, quiet: Undisturbed, judged: list[Check]) -> Iterator[str]:
    """Of the printed table."""
    yield _row("each scan", " ".join(QUICK))
    yield _row("catalog", f"{numbers.names} names, {numbers.jobs} scans")
    yield _row("found", _counted(numbers.labels))
    yield _row("killed with -9", _counted(numbers.kills) or "nothing")
    yield _row("scans begun", f"{numbers.begun}, {numbers.begun - numbers.jobs} more than needed")
    yield _row("all runs", f"{numbers.seconds:.0f} s; the same command once more {numbers.again_seconds:.1f} s")
    for workers, rates in quiet.rates.items():
        if rates:
            each = ", ".join(f"{rate:.1f}" for rate in rates)
            yield _row(f"{workers} worker{'s' * (workers > 1)}", f"{each} models a minute, {quiet.models} models each")
    if all(quiet.rates.values()):
        ratio = statistics.fmean(quiet.rates[2]) / statistics.fmean(quiet.rates[1])
        yield _row("2 workers over 1", f"{ratio:.2f} times as many")
    yield _row("memory of a scan", f"median {_mib(numbers.memory_median)}, largest {_mib(numbers.memory_largest)}")
    yield _row("memory of the driver", f"largest {_mib(numbers.driver_memory)}")
    yield _row(
        "store", f"{_mib(numbers.store_bytes)}, {numbers.store_bytes / max(1, numbers.jobs) / 1024:.0f} KiB a scan"
    )
    yield _row("HTML of all", f"{_mib(numbers.html_bytes)} in {numbers.html_seconds:.1f} s")
    for check in judged:
        yield f"{'WRONG' if check.wrong else 'ok':6}{check.what} ({check.seen})"
        yield from (f"      {line}" for line in check.wrong)


def _row(name: str, value: str) -> str:
    return f"{name:22}{value}"


def _counted(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in numbers.items())


def _mib(size: int) -> str:
    return f"{size / _MIB:,.1f} MiB"
