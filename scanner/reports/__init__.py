"""How a report leaves the tool: one format a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..findings import Report

__all__ = ["Artifacts", "Format", "write_artifacts"]


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


def write_artifacts(report: Report, folder: Path, images: NDArray[np.float32] | None = None) -> Artifacts:
    """Write the recovered triggers as pictures and arrays, maps as pictures, and ``report.json``, into a folder.

    Args:
        folder: made if it is missing; files of the same names are replaced, each in one step.
        images: (N, C, H, W) in [0, 1]: samples to show before and after stamping; None for no such picture.

    Raises:
        OSError: the folder cannot be made or written.
    """
    from ._artifacts import write  # Pillow and msgspec load only when something is written

    return write(report, folder, images)
