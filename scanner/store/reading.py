"""Answers from a store: the catalog's names, joined with what became of their jobs."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import msgspec

from ...converters.messages import one_line
from ..answers import Answer, State
from ..contract import Contract, decode
from ..errors import OptionError
from .database import Database

__all__ = ["Query", "answers"]

_LARGEST = 256 << 20  # bytes of a report: a store may come from anywhere
_RANKS = ("backdoored", "suspicious", "inconclusive", "error", "not scanned", "waiting", "clean")
_NAMES = """SELECT name, key, sha256, size_bytes, team, origin, code, why FROM (
    SELECT names.*, row_number() OVER (PARTITION BY name ORDER BY place DESC) AS nth
    FROM names JOIN listings ON listings.id = names.listing WHERE ? IN ('', listings.id)
) WHERE nth = 1 ORDER BY name"""
_JOBS = "SELECT key, state, label, score, error, seconds, tries, ended, worker FROM jobs"
_STATES = {"done": State.DONE, "failed": State.FAILED}


@dataclass(frozen=True, kw_only=True)
class Query:
    """Which answers are wanted; see ``Store.answers``."""

    labels: Sequence[str] = ()
    pattern: str = ""
    order: str = "name"
    listing: str = ""
    files: bool = True

    def wants(self, found: Found) -> bool:
        """Whether an answer is among those asked for."""
        pattern = self.pattern if any(mark in self.pattern for mark in "*?[") else f"*{self.pattern}*"
        named = any(fnmatchcase(name, pattern) for name in found.answer.names)
        return named and (not self.labels or found.label in self.labels)


class Found(NamedTuple):
    """What is known of one model without its report."""

    answer: Answer
    key: str
    label: str
    score: float | None


_ORDERS = {
    "name": lambda f: 0,
    "label": lambda f: _RANKS.index(f.label) if f.label in _RANKS else len(_RANKS),
    "score": lambda f: -1.0 if f.score is None else f.score,
    "seconds": lambda f: f.answer.seconds,
    "size": lambda f: f.answer.size_bytes,
    "ended": lambda f: f.answer.ended,
}


def answers(database: Database, query: Query) -> Iterator[Answer]:
    """The answers to a query, each with its report read only when it is its turn.

    Raises:
        StoreError: the store cannot be read.
        OptionError: no such order.
    """
    if query.order not in _ORDERS:
        raise OptionError(f"expected an order among {', '.join(_ORDERS)}, got {query.order!r}")
    found = [f for f in _found(database, query.listing) if query.wants(f)]
    found.sort(key=_ORDERS[query.order], reverse=query.order not in ("name", "label"))
    return (_whole(database, f, query.files) for f in found)


def _found(database: Database, listing: str) -> list[Found]:
    """All models in order of name, each once for its options."""
    jobs = {row[0]: row[1:] for row in database.read(_JOBS)}
    grouped = dict[tuple[str, str], list[tuple[Any, ...]]]()
    for row in database.read(_NAMES, (listing,)):
        grouped.setdefault((row[1], "" if row[1] else row[0]), []).append(row)
    return [_joined(rows, jobs.get(key)) for (key, _), rows in grouped.items()]


def _joined(rows: Sequence[tuple[Any, ...]], job: tuple[Any, ...] | None) -> Found:
    _, key, sha256, size, group, origin, code, why = rows[0]
    known = Answer(
        names=tuple(row[0] for row in rows),
        state=State.WAITING if key else State.UNSCANNED,
        why=why,
        code=code,
        group=group,
        sha256=sha256,
        size_bytes=size,
        origin=_origin(origin),
    )
    if job is None:
        return Found(known, key, known.label, None)
    state, label, score, error, seconds, tries, ended, worker = job
    failed = {"why": error, "code": "error"} if state == "failed" else {}
    told: dict[str, Any] = {"state": _STATES.get(state, State.WAITING), **failed, "tries": tries}
    known = replace(known, **told, seconds=seconds, ended=ended, worker=worker)
    return Found(known, key, label or known.label, score)


def _origin(text: str) -> Mapping[str, str]:
    told = json.loads(text)
    return {str(name): str(value) for name, value in told.items()} if isinstance(told, dict) else {}


def _whole(database: Database, found: Found, files: bool) -> Answer:
    answer = replace(found.answer, repair=_repair(database, found.answer.sha256))
    if answer.state != State.DONE:
        return answer
    try:
        report = _report(database, found.key)
    except (zlib.error, ValueError, msgspec.MsgspecError) as error:
        why = f"the stored report cannot be read ({one_line(error, 200)}); scan the model again into another store"
        return replace(answer, state=State.FAILED, code="error", why=why)
    return replace(answer, report=report, files=_files(database, found.key) if files else {})


def _report(database: Database, key: str) -> Contract:
    rows = database.read("SELECT content FROM reports WHERE key = ?", (key,))
    if not rows:
        raise ValueError("it is missing")
    stream = zlib.decompressobj()
    told = stream.decompress(rows[0][0], _LARGEST)
    if not stream.eof:
        raise ValueError(f"it is cut off, or larger than {_LARGEST >> 20} MiB")
    return decode(told)


def _files(database: Database, key: str) -> dict[str, bytes]:
    return dict(database.read("SELECT name, content FROM files WHERE key = ? ORDER BY name", (key,)))


def _repair(database: Database, sha256: str) -> Mapping[str, Any] | None:
    rows = database.read("SELECT report FROM repairs WHERE sha256 = ?", (sha256,)) if sha256 else []
    return json.loads(rows[0][0]) if rows else None
