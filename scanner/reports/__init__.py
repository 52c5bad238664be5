"""How a report leaves the tool: one format a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..contract import Contract
    from ..findings import Report

__all__ = ["Artifacts", "Format", "write_artifacts", "written"]


@dataclass(frozen=True)
class Artifacts:
    """The files that lie beside a report.

    Attributes:
        folder: where they are; None where nothing was written.
        files: detector id -> name -> path relative to ``folder``.
    """

    folder: Path | None = None
    files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class Format(ABC):
    """The contract of a format: a frozen dataclass whose fields are its options."""

    @abstractmethod
    def render(self, report: Report, artifacts: Artifacts) -> str:
        """The report as text, without a final newline."""


def write_artifacts(report: Report, folder: Path) -> Artifacts:
    """Write the recovered triggers as pictures and arrays, maps as pictures, and ``report.json``, into a folder.

    Args:
        folder: made if it is missing; files of the same names are replaced, each in one step. The report's
            ``examples`` are shown before and after stamping.

    Raises:
        OSError: the folder cannot be made or written.
    """
    from ._artifacts import write  # Pillow and msgspec load only when something is written

    return write(report, folder)


def written(report: Report) -> tuple[Contract, dict[str, bytes]]:
    """The report as it is kept: its contract, and the content of each file that the contract's ``artifacts`` name."""
    from ._artifacts import contents
    from ._translate import contract_of

    index, files = contents(report)
    return contract_of(report, Artifacts(files=index)), files
