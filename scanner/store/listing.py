"""Record what a batch was given: every name, and a job for every model."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence

from ..catalog import Catalog
from ..jobs import Job
from .claims import forget
from .database import Database

__all__ = ["record", "retry"]

Row = tuple[str, str, str, int, str, str, str, str]


def record(database: Database, catalog: Catalog, keys: Mapping[str, str], jobs: Sequence[Job]) -> str:
    """Keep a catalog, with the key of each entry's job, as the last that was listed; and the jobs that are new.

    Returns:
        The listing's id, the same for the same catalog and keys.
    """
    rows = _rows(catalog, keys)
    listing = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
    with database.transaction() as connection:
        put_last(connection, listing)
        connection.executemany(
            "INSERT OR IGNORE INTO names VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", [(listing, *row) for row in rows]
        )
        connection.executemany(
            "INSERT OR IGNORE INTO jobs (key, name, sha256, size_bytes) VALUES (?, ?, ?, ?)",
            [(job.key, job.name, job.sha256, job.size_bytes) for job in jobs],
        )
    return listing


def put_last(connection: sqlite3.Connection, listing: str) -> None:
    """Give a listing, new or not, the last place."""
    last = "(SELECT coalesce(max(place), 0) + 1 FROM listings)"
    connection.execute(f"INSERT OR REPLACE INTO listings VALUES (?, {last})", (listing,))


def retry(database: Database, jobs: Sequence[Job]) -> None:
    """Let jobs be tried again that failed, or whose report only says how the scan's process died."""
    with database.transaction() as connection:
        for job in jobs:
            again = connection.execute(
                "UPDATE jobs SET state = 'waiting', losses = 0, error = '', label = '', score = NULL, reasons = ''"
                " WHERE key = ? AND (state = 'failed' OR (state = 'done' AND reasons LIKE 'sandbox-%'))",
                (job.key,),
            )
            if again.rowcount:
                forget(connection, job.key)


def _rows(catalog: Catalog, keys: Mapping[str, str]) -> list[Row]:
    entries = [
        (e.name, keys[e.name], e.sha256, e.size_bytes, e.group, json.dumps(dict(e.origin), sort_keys=True), "", "")
        for e in catalog.entries
    ]
    return entries + [(u.name, "", "", 0, "", "{}", u.code, u.why) for u in catalog.unscanned]
