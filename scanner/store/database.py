"""One connection to a store's file: transactions, and SQLite's errors in words."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import Any

from ...converters.messages import one_line
from . import schema
from .errors import StoreError

__all__ = ["Database"]

PATIENCE = 60.0  # seconds that another program may hold the lock
_NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "beegfs", "9p", "ceph", "glusterfs", "afs")
_OVER_NETWORK = "journal on a network file system: slower, and safe only where its locks work"


class Database:
    """A connection that threads may share.

    Attributes:
        path: of the file.
        uri: with which it was opened.
        notes: what a user should know of how it was opened.
    """

    def __init__(self, path: Path, create: bool) -> None:
        self.path = path
        self.notes: tuple[str, ...] = ()
        self._lock = RLock()
        if not create and not path.is_file():
            raise StoreError(f"{one_line(path)}: there is no such store; check the path")
        with self._told():
            self.uri, self._connection = self._opened("rwc" if create else "rw")
            try:
                self._prepare(create)
            except BaseException:
                self._connection.close()
                raise

    def read(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._lock, self._told():
            return self._connection.execute(statement, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, alone among all processes.

        Raises:
            StoreError: nothing was written.
        """
        with self._lock, self._told():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # some errors have rolled back already
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def attached(self, uri: str) -> Iterator[None]:
        """Another store, readable as ``other``."""
        with self._lock, self._told():
            self._connection.execute("ATTACH ? AS other", (uri,))
            try:
                yield
            finally:
                self._connection.execute("DETACH other")

    def close(self) -> None:
        """Close the file; the last one to do so leaves one file."""
        with self._lock, suppress(sqlite3.Error):
            self._connection.close()

    def _opened(self, mode: str) -> tuple[str, sqlite3.Connection]:
        uri = f"{self.path.absolute().as_uri()}?mode={mode}"
        connection = _connect(uri)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            connection.close()
            unwritable = _code(error) in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
            if mode == "rwc" or not unwritable or self.path.with_name(self.path.name + "-wal").exists():
                raise
            # A folder that nobody can write in: SQLite can make no lock there, and needs none.
            uri = f"{self.path.absolute().as_uri()}?immutable=1"
            connection = _connect(uri)
        return uri, connection

    def _prepare(self, create: bool) -> None:
        self._connection.execute("PRAGMA temp_store = MEMORY")
        ready = schema.check(self._connection, self.path)
        if not ready and not create:
            raise StoreError(f"{one_line(self.path)}: an empty file and not a store; check the path")
        if create:
            self.notes = self._journal()
            self._connection.execute("PRAGMA synchronous = FULL")
            with self.transaction() as connection:  # whether it can be written, before anything is scanned
                schema.make(connection)

    def _journal(self) -> tuple[str, ...]:
        """A journal that lets readers read while one writes, where the file system can share memory."""
        if kind := _network(self.path):
            got = self._set_journal("DELETE")
            return (f"{one_line(self.path)} is on {kind}; it is kept with a {got} {_OVER_NETWORK}",)
        got = self._set_journal("WAL")
        return (
            () if got == "wal" else (f"{one_line(self.path)} is kept with a {got} journal, as WAL does not work here",)
        )

    def _set_journal(self, mode: str) -> str:
        """SQLite does not wait here by itself while another process opens the same new file."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return str(self._connection.execute(f"PRAGMA journal_mode = {mode}").fetchone()[0])
            except sqlite3.OperationalError as error:
                if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                    raise
                time.sleep(0.05)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"{one_line(self.path)}: {_words(error)}") from None


def _connect(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None, check_same_thread=False)


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # without the extension that tells which call it was


def _words(error: sqlite3.Error) -> str:
    said = one_line(error)
    return {
        sqlite3.SQLITE_FULL: "the disk is full; free some space and run again, what was stored until now is kept",
        sqlite3.SQLITE_NOTADB: "not a store of onnxray (no SQLite database); name another file",
        sqlite3.SQLITE_CORRUPT: f"the store is damaged ({said}); move it away and scan again, or save what sqlite3's "
        ".recover can read",
        sqlite3.SQLITE_READONLY: "the store cannot be written; check the rights on the file and its folder",
        sqlite3.SQLITE_CANTOPEN: "cannot be opened; check that its folder exists, and the rights",
        sqlite3.SQLITE_PERM: "cannot be opened; check the rights",
        sqlite3.SQLITE_BUSY: f"another program has held the store for more than {PATIENCE:g} seconds; end it, and run "
        "again",
        sqlite3.SQLITE_IOERR: f"could not be read or written ({said}); check the disk, its quota and the limits on the "
        "size of files, and run again: what was stored until now is kept",
        sqlite3.SQLITE_TOOBIG: f"too large for a store ({said})",
    }.get(_code(error), f"the store failed ({said})")


def _network(path: Path) -> str:
    """The kind of network file system that a path is on; "" for none, or where the system does not tell."""
    if not sys.platform.startswith("linux"):
        return ""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    folder, kinds = os.path.realpath(path.parent), dict[str, str]()
    for fields, _, rest in (line.partition(" - ") for line in mounts):
        point = fields.split()[4].replace("\\040", " ")
        if folder == point or folder.startswith(point.rstrip("/") + "/"):
            kinds[point] = rest.split()[0]
    kind = kinds[max(kinds, key=len)] if kinds else ""
    return kind if kind in _NETWORK or kind.startswith("fuse.") else ""
