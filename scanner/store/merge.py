"""Take over what another store holds, all of it or nothing."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from .database import Database
from .listing import put_last

__all__ = ["MergeTally", "merge"]

_COLUMNS = (
    "key, name, sha256, size_bytes, state, owner, tries, losses, label, score, reasons, error, seconds, peak_memory,"
    " ended, worker"
)
# A report is better than none; what failed here may have been done there.
_TAKEN = """CREATE TEMP TABLE taken AS SELECT theirs.key FROM other.jobs AS theirs
    LEFT JOIN main.jobs AS ours USING (key)
    WHERE theirs.state = 'done' AND ours.state IS NOT 'done'
    OR theirs.state = 'failed' AND (ours.state IS NULL OR ours.state = 'waiting')"""
_BOTH = """FROM other.jobs AS theirs JOIN main.jobs AS ours USING (key)
    WHERE theirs.state IN ('done', 'failed') AND ours.state = theirs.state"""
_SAME = """ AND ours.ended = theirs.ended AND ours.worker = theirs.worker AND (SELECT content FROM main.reports AS r
    WHERE r.key = ours.key) IS (SELECT content FROM other.reports AS r WHERE r.key = ours.key)"""


@dataclass(frozen=True)
class MergeTally:
    """What came of a merge.

    Attributes:
        names: that the catalog did not have yet.
        added: jobs whose result was taken over.
        same: jobs whose result was here already, the same to the byte.
        conflicts: jobs that both stores had ended; what was here stays.
    """

    names: int = 0
    added: int = 0
    same: int = 0
    conflicts: int = 0


def merge(database: Database, other: Database) -> MergeTally:
    """Take over names, results and repairs; what another store's runs hold or wait for waits here too."""
    with database.attached(other.uri), database.transaction() as connection:
        names = _count(connection, "SELECT count(*) FROM (SELECT name FROM other.names EXCEPT SELECT name FROM names)")
        both = _count(connection, f"SELECT count(*) {_BOTH}")
        same = _count(connection, f"SELECT count(*) {_BOTH}{_SAME}")
        _take_listings(connection)
        added = _take_jobs(connection)
        connection.execute("INSERT OR IGNORE INTO main.repairs SELECT * FROM other.repairs")
        return MergeTally(names, added, same, both - same)


def _take_listings(connection: sqlite3.Connection) -> None:
    """Listings that are new come last, in the order that they had."""
    known = "SELECT id FROM main.listings"
    rows = connection.execute(f"SELECT id FROM other.listings WHERE id NOT IN ({known}) ORDER BY place").fetchall()
    for (listing,) in rows:
        put_last(connection, listing)
    connection.execute("INSERT OR IGNORE INTO main.names SELECT * FROM other.names")


def _take_jobs(connection: sqlite3.Connection) -> int:
    connection.execute("DROP TABLE IF EXISTS temp.taken")
    connection.execute(_TAKEN)
    chosen = "key IN (SELECT key FROM temp.taken)"
    for table in ("reports", "files", "jobs"):
        connection.execute(f"DELETE FROM main.{table} WHERE {chosen}")
    for table in ("jobs", "reports", "files"):
        connection.execute(f"INSERT INTO main.{table} SELECT * FROM other.{table} WHERE {chosen}")
    waiting = _COLUMNS.replace("state, owner", "'waiting', NULL")
    connection.execute(f"INSERT OR IGNORE INTO main.jobs ({_COLUMNS}) SELECT {waiting} FROM other.jobs")
    return _count(connection, "SELECT count(*) FROM temp.taken")


def _count(connection: sqlite3.Connection, statement: str) -> int:
    return int(connection.execute(statement).fetchone()[0])
