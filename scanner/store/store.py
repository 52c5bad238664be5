"""The store of a batch."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from ...converters.messages import one_line
from ..answers import Answer
from ..catalog import Catalog
from ..jobs import Job
from . import listing as listings
from .claims import Claims
from .database import Database
from .errors import StoreError
from .merge import MergeTally, merge
from .reading import Query, answers

__all__ = ["Store"]


class Store:
    """One SQLite file with everything that a batch has found; safe to use from several processes and hosts at once.

    Beside it SQLite keeps two files while it is open (and after a kill); they belong to it until it is opened again.

    Attributes:
        path: of the file.
        notes: sentences about how it was opened that a user should know.
        listing: which catalog this object has recorded last, for ``answers``; "" before.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.path, self.notes, self.listing = database.path, database.notes, ""

    @classmethod
    def open(cls, path: Path, create: bool = True) -> Store:
        """Open a store; make it if there is none and ``create`` is true. A context manager that closes it.

        Without ``create`` one that cannot be written can still be read.

        Raises:
            StoreError: it is no store, damaged, newer than this tool, locked, or cannot be read or written.
        """
        return cls(Database(Path(path), create))

    def record(self, catalog: Catalog, keys: Mapping[str, str], jobs: Sequence[Job], retry: bool = False) -> None:
        """Keep a catalog and the key of each entry's job, and have the jobs wait that are new.

        Args:
            retry: whether those wait again that failed, or whose process died.

        Raises:
            StoreError: it cannot be written.
        """
        self.listing = listings.record(self._database, catalog, keys, jobs)
        if retry:
            listings.retry(self._database, jobs)

    def claims(self, jobs: Sequence[Job]) -> Claims:
        """A run's hand on these jobs; one at a time for each store object."""
        return Claims(self._database, jobs)

    def answers(
        self,
        *,
        labels: Sequence[str] = (),
        pattern: str = "",
        order: str = "name",
        listing: str = "",
        files: bool = True,
    ) -> Iterator[Answer]:
        """What is known of each model, one at a time.

        Names of the same bytes and options are one answer. Where a name was listed more than once, with other bytes or
        options, the last listing counts.

        Args:
            labels: ``Answer.label`` among these; empty for all.
            pattern: of a name, such as ``vendor/*``; without ``*``, ``?`` or ``[`` part of a name; "" for all.
            order: "name", "label" (the worst first), "score", "seconds", "size" or "ended" (the largest first).
            listing: only what was listed with this catalog (``Store.listing``); "" for all.
            files: whether the answers have their files.

        Raises:
            StoreError: it cannot be read.
            OptionError: no such order.
        """
        query = Query(labels=tuple(labels), pattern=pattern, order=order, listing=listing, files=files)
        return answers(self._database, query)

    def merge(self, other: Path) -> MergeTally:
        """Take over all names, results and repairs of another store; doing so twice changes nothing.

        Of a job that both have ended, this store's result stays.

        Raises:
            StoreError: either cannot be read or written.
        """
        if other.exists() and os.path.samefile(self.path, other):
            raise StoreError(f"{one_line(other)}: cannot be merged with itself; name another store")
        theirs = Database(Path(other), create=False)
        try:
            return merge(self._database, theirs)
        finally:
            theirs.close()

    def add_repair(self, sha256: str, report_json: str) -> None:
        """Keep the JSON object of ``onnxray repair -f json`` for a model, in place of an earlier one.

        Raises:
            StoreError: it cannot be written.
            ValueError: it is no JSON object.
        """
        if not isinstance(json.loads(report_json), dict):
            raise ValueError(f"expected a JSON object, got {report_json[:60]!r}")
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO repairs VALUES (?, ?)", (sha256, report_json))

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Store:
        """The store itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()
