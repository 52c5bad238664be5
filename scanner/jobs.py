"""One scan of a batch as data: what is to be done, and what came of it; both cross process and machine borders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .config import ScanOptions

__all__ = ["Job", "Outcome"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One model to scan, once, whatever it is called.

    Attributes:
        key: 64 hex digits: of the model's bytes, the pictures' bytes, every option and the tool's version.
        name: the first name of the model in the catalog, for progress and messages.
        path, member, sha256, size_bytes: as in ``catalog.Entry``.
        data, training_data, options: of ``pipeline.scan``.
        max_memory: bytes that the scan's process may use; 0 for the sandbox's usual limit.
        sandbox: whether the scan runs confined.
        losses: how many tries before this one came to nothing, as worker or driver died.
    """

    key: str
    name: str
    path: Path
    sha256: str
    size_bytes: int
    member: str = ""
    data: Path | None = None
    training_data: Path | None = None
    options: ScanOptions = field(default_factory=ScanOptions)
    max_memory: int = 0
    sandbox: bool = True
    losses: int = 0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one try of a job.

    Attributes:
        report: the report's JSON (``contract.encode``); "" where there is none. Where ``lasting`` is false it is kept
            only if there is no further try.
        files: content of each file that the report's artifacts name.
        error: why there is no report, or why another try is worth while, in one line; else "".
        lasting: whether another try would come to the same: true for whatever the model itself caused.
        seconds: wall time.
        peak_memory: largest memory of the scan's process in bytes; 0 if unknown.
        worker: host and process that did it.
    """

    report: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    error: str = ""
    lasting: bool = True
    seconds: float = 0.0
    peak_memory: int = 0
    worker: str = ""
