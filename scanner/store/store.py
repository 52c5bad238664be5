"""The store of a batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from ..answers import Answer
from .merge import MergeTally

__all__ = ["Store"]


class Store:
    """One SQLite file with everything that a batch has found; safe to use from several processes and hosts at once.

    Attributes:
        path: of the file.
        notes: sentences about how it was opened that a user should know.
        listing: which catalog this object has recorded last, for ``answers``; "" before.
    """

    path: Path
    notes: tuple[str, ...]
    listing: str

    @classmethod
    def open(cls, path: Path, create: bool = True) -> Store:
        """Open a store; make it if there is none and ``create`` is true. A context manager that closes it.

        Raises:
            StoreError: it is no store, damaged, newer than this tool, locked, or cannot be read or written.
        """
        raise NotImplementedError

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

        Where a name was listed more than once, with other bytes or options, the last listing counts.

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
        raise NotImplementedError

    def merge(self, other: Path) -> MergeTally:
        """Take over all names, results and repairs of another store; doing so twice changes nothing.

        Raises:
            StoreError: either cannot be read or written.
        """
        raise NotImplementedError

    def add_repair(self, sha256: str, report_json: str) -> None:
        """Keep the JSON object of ``onnxray repair -f json`` for a model, in place of an earlier one.

        Raises:
            StoreError: it cannot be written.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Close the file."""
        raise NotImplementedError

    def __enter__(self) -> Store:
        """The store itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()
