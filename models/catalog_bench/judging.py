"""What has to hold after the kills."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ...scanner.answers import Answer, State
from ...scanner.store import Store
from . import Check, Expected
from .driver import Place
from .killing import Ordeal
from .ledger import Row, ended_jobs, fault
from .pace import Told, answers_of

__all__ = ["checks"]

_MOST = 10  # lines told of one check


def checks(expected: Expected, ordeal: Ordeal, place: Place, undisturbed: Mapping[str, Told]) -> list[Check]:
    """All that is checked, in the order in which it is told."""
    with Store.open(ordeal.store, create=False) as store:
        answers = list(store.answers(files=False))
    final = ended_jobs(ordeal.store)
    kept = sum(len(jobs) for jobs in ordeal.snapshots)
    return [
        _check("the last run ended by itself", _end(ordeal), f"exit code {ordeal.code}"),
        _check("every name is accounted for", _unaccounted(expected, answers), f"{len(expected.names)} names"),
        _check("every job has ended", _jobs(expected, final), f"{len(final)} of {expected.jobs} jobs"),
        _check("nothing broken or hostile is clean", _clean(expected, answers), f"{len(expected.never_clean)} files"),
        _check("no job that had ended was done again", _again(ordeal, final), f"{kept} looks at an ended job"),
        _check("the table is that of an undisturbed run", _unlike(ordeal, undisturbed), f"{len(undisturbed)} names"),
        _check(
            "no process outlived its run",
            ordeal.orphans,
            f"{ordeal.kills['driver'] + ordeal.kills['start']} killed drivers",
        ),
        _check("no temporary folder is left", _left(place.temporary), "TMPDIR of all runs"),
        _check("the store is whole", [*ordeal.faults, *filter(None, [fault(ordeal.store)])], "integrity_check"),
        _check("no traceback in any message", _tracebacks(place.folder), "all messages of all runs"),
    ]


def _check(what: str, wrong: Iterator[str] | list[str], seen: str) -> Check:
    lines = list(wrong)
    more = [f"and {len(lines) - _MOST} more"] if len(lines) > _MOST else []
    return Check(what, (*lines[:_MOST], *more), seen)


def _end(ordeal: Ordeal) -> list[str]:
    if ordeal.code is None:
        return ["the time was over"]
    return [] if ordeal.code in (0, 1, 2) else [f"it ended with {ordeal.code}"]


def _unaccounted(expected: Expected, answers: list[Answer]) -> Iterator[str]:
    found = {name: answer for answer in answers for name in answer.names}
    yield from (f"{name}: not in the store" for name in sorted(expected.names.keys() - found.keys()))
    yield from (f"{name}: not in the catalog" for name in sorted(found.keys() - expected.names.keys()))
    for name, answer in found.items():
        if answer.state is State.WAITING:
            yield f"{name}: never scanned"
        elif answer.state is State.DONE and answer.report is None:
            yield f"{name}: done without a report"
        elif answer.state is not State.DONE and not answer.why:
            yield f"{name}: {answer.state} without a reason"
        code = answer.code if answer.state is State.UNSCANNED else ""
        if code != expected.names.get(name, code):
            yield f"{name}: expected {expected.names[name] or 'a scan'!r}, got {code or 'a scan'!r} ({answer.why})"


def _jobs(expected: Expected, final: Mapping[str, Row]) -> list[str]:
    return [] if len(final) == expected.jobs else [f"expected {expected.jobs} jobs, got {len(final)}"]


def _clean(expected: Expected, answers: list[Answer]) -> list[str]:
    clean = {name for answer in answers for name in answer.names if answer.label == "clean"}
    return [f"{name}: clean" for name in sorted(clean & {*expected.never_clean})]


def _again(ordeal: Ordeal, final: Mapping[str, Row]) -> Iterator[str]:
    for number, jobs in enumerate(ordeal.snapshots, 1):
        for key, row in jobs.items():
            if final.get(key) != row:
                yield f"{key[:12]}: {row} after kill {number}, {final.get(key)} in the end"


def _unlike(ordeal: Ordeal, undisturbed: Mapping[str, Told]) -> Iterator[str]:
    found = answers_of(ordeal.store)
    for name, told in sorted(undisturbed.items()):
        if found.get(name) != told:
            yield f"{name}: {found.get(name)}, undisturbed {told}"


def _left(temporary: Path) -> list[str]:
    return sorted(path.name for path in temporary.iterdir())


def _tracebacks(folder: Path) -> Iterator[str]:
    for log in sorted(folder.glob("*.log")):
        text = log.read_text(encoding="utf-8", errors="replace")
        if "Traceback" in text:
            yield f"{log.name}: {text[text.index('Traceback') :][:300]!r}"
