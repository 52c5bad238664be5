"""What a store says of its jobs, read past the program that is tested."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Row", "after_a_kill", "ended_jobs", "fault", "peaks", "tries"]

_ENDED = "FROM jobs WHERE state IN ('done', 'failed')"


class Row(NamedTuple):
    """A job that has ended; whatever runs afterwards, this stays."""

    state: str
    label: str
    ended: str
    tries: int
    seconds: float
    worker: str


def ended_jobs(store: Path) -> Mapping[str, Row]:
    """Key -> what is known of each job that has ended; empty while there is no store."""
    return {row[0]: Row(*row[1:]) for row in _asked(store, f"SELECT key, {', '.join(Row._fields)} {_ENDED}")}


def peaks(store: Path) -> list[int]:
    """The most memory of each scan in bytes, the smallest first."""
    return [row[0] for row in _asked(store, f"SELECT peak_memory {_ENDED} AND peak_memory > 0 ORDER BY 1")]


def tries(store: Path) -> int:
    """How often a job was begun."""
    return sum(row[0] for row in _asked(store, "SELECT tries FROM jobs"))


def fault(store: Path) -> str:
    """What SQLite finds wrong with a store; "" for nothing."""
    found = [str(row[0]) for row in _asked(store, "PRAGMA integrity_check")]
    found += [f"rows without their job: {row}" for row in _asked(store, "PRAGMA foreign_key_check")]
    return "" if found == ["ok"] else "; ".join(found)


def after_a_kill(store: Path) -> tuple[Mapping[str, Row], str]:
    """The ended jobs and the fault, of a copy, so that the next run finds what the kill has left."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / store.name
        for path in (store, store.with_name(f"{store.name}-wal")):
            if path.exists():
                shutil.copyfile(path, copy.with_name(path.name))
        return (ended_jobs(copy), fault(copy)) if copy.exists() and copy.stat().st_size else ({}, "")


def _asked(store: Path, statement: str) -> list[tuple[Any, ...]]:
    """Read only, so that it is never this process that puts a store in order."""
    if not store.is_file():
        return []
    try:
        with closing(sqlite3.connect(f"{store.absolute().as_uri()}?mode=ro", uri=True, timeout=30.0)) as connection:
            return connection.execute(statement).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):  # made, but not filled yet
            return []
        raise
