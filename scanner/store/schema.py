"""The tables of a store."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ...converters.messages import one_line
from .errors import StoreError

__all__ = ["VERSION", "check", "make"]

APPLICATION = 0x6F787279  # "oxry", in SQLite's header: whose file this is
VERSION = 1
_NEW = (0, 0)

TABLES = """
-- What a batch was given, as a whole; the one with the largest place was listed last.
CREATE TABLE listings (id TEXT PRIMARY KEY, place INTEGER NOT NULL) WITHOUT ROWID;

-- Every name of a listing: an entry with the key of its job, or something that could not be scanned, with code and why.
CREATE TABLE names (
    listing TEXT NOT NULL REFERENCES listings, name TEXT NOT NULL, key TEXT NOT NULL, sha256 TEXT NOT NULL,
    size_bytes INTEGER NOT NULL, team TEXT NOT NULL, origin TEXT NOT NULL, code TEXT NOT NULL, why TEXT NOT NULL,
    PRIMARY KEY (listing, name)
) WITHOUT ROWID;

-- One row a model and its options. state: waiting, running (then owner is set), done (then it has a report), failed.
-- losses: tries that came to nothing as the scan's process or the whole run died.
CREATE TABLE jobs (
    key TEXT PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, size_bytes INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done', 'failed')),
    owner TEXT, tries INTEGER NOT NULL DEFAULT 0, losses INTEGER NOT NULL DEFAULT 0,
    label TEXT NOT NULL DEFAULT '', score REAL, reasons TEXT NOT NULL DEFAULT '', error TEXT NOT NULL DEFAULT '',
    seconds REAL NOT NULL DEFAULT 0, peak_memory INTEGER NOT NULL DEFAULT 0, ended TEXT NOT NULL DEFAULT '',
    worker TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX jobs_by_state ON jobs (state, owner);

-- The report's JSON, compressed with zlib; and the files that its artifacts name, as they are.
CREATE TABLE reports (key TEXT PRIMARY KEY REFERENCES jobs, content BLOB NOT NULL);
CREATE TABLE files (
    key TEXT NOT NULL REFERENCES jobs, name TEXT NOT NULL, content BLOB NOT NULL, PRIMARY KEY (key, name)
);

-- The runs that hold jobs.
CREATE TABLE owners (
    id TEXT PRIMARY KEY, place TEXT NOT NULL, process INTEGER NOT NULL, started TEXT NOT NULL, host TEXT NOT NULL,
    beat REAL NOT NULL
) WITHOUT ROWID;

-- The JSON of a model's repair, by the sha256 of its bytes.
CREATE TABLE repairs (sha256 TEXT PRIMARY KEY, report TEXT NOT NULL);
"""


def check(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the store has its tables; false for a file with nothing in it.

    Raises:
        StoreError: it is another program's, or a newer version's.
    """
    application, version = _header(connection)
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if (application, version) == _NEW and not tables:
        return False
    if application != APPLICATION:
        raise StoreError(f"{one_line(path)}: not a store of onnxray but another program's database; name another file")
    if version > VERSION:
        raise StoreError(
            f"{one_line(path)}: written by a newer onnxray (form {version}, this one knows {VERSION}); update onnxray"
        )
    return True


def make(connection: sqlite3.Connection) -> None:
    """Make the tables, in the caller's transaction; nothing where another process was faster."""
    if _header(connection) != _NEW:
        return
    for statement in TABLES.split(";\n"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _header(connection: sqlite3.Connection) -> tuple[int, int]:
    application, version = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    )
    return application, version
