"""What is known of each model of a catalog, however it came to be known: the input of every document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .contract import Contract

__all__ = ["Answer", "State", "Suppression"]


class State(StrEnum):
    """Where a model of a catalog stands; only DONE has a verdict."""

    DONE = "done"
    FAILED = "failed"  # the scan ended without a report
    UNSCANNED = "unscanned"  # there was nothing that a scan could be given
    WAITING = "waiting"  # not begun, or begun and not ended


@dataclass(frozen=True)
class Suppression:
    """Something found that a person has looked at and accepts, for a reason and for a time.

    Attributes:
        code: a finding's rule id or a verdict's reason code; "*" for whatever is found.
        model: sha256 (or its beginning, 8 digits or more), or a pattern of names, such as ``vendor/*``.
        reason: a sentence; never empty.
        expires: the last day on which it holds; None for no end.
    """

    code: str
    model: str
    reason: str
    expires: date | None = None


@dataclass(frozen=True)
class Answer:
    """One model of a catalog and what is known of it.

    Attributes:
        names: all names under which the catalog has these bytes, the first one first; at least one.
        state: whether there is a report.
        report: the report; None unless ``state`` is DONE.
        files: content of each file that the report's artifacts name.
        why: one sentence for FAILED and UNSCANNED; else "".
        code: the kind of FAILED ("error") or UNSCANNED (see ``catalog.Unscanned``); else "".
        group: what its variants share (see ``catalog.Entry``).
        sha256: of the bytes; "" where they could not be read.
        size_bytes: their number; 0 where they could not be read.
        seconds: of the scan.
        tries: how often it was begun.
        ended: when it ended, ISO 8601 in UTC; "" if it has not.
        worker: host and process that scanned it.
        origin: see ``catalog.Entry``.
        repair: the JSON object of ``onnxray repair -f json`` for this model; None if it was not repaired.
        suppressed: code of a finding or reason -> what accepts it; only what holds today.
    """

    names: tuple[str, ...]
    state: State = State.DONE
    report: Contract | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    why: str = ""
    code: str = ""
    group: str = ""
    sha256: str = ""
    size_bytes: int = 0
    seconds: float = 0.0
    tries: int = 0
    ended: str = ""
    worker: str = ""
    origin: Mapping[str, str] = field(default_factory=dict)
    repair: Mapping[str, Any] | None = None
    suppressed: Mapping[str, Suppression] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The first of its names."""
        return self.names[0]

    @property
    def label(self) -> str:
        """The verdict's label; without a report "error", "not scanned" or "waiting"."""
        if self.report is not None:
            return str(self.report.verdict.label)
        return {State.FAILED: "error", State.UNSCANNED: "not scanned"}.get(self.state, "waiting")
