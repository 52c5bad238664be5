"""The report as JSON, for programs."""

from __future__ import annotations

from dataclasses import dataclass

from ..contract import encode
from ..findings import Report
from . import Artifacts, Format
from ._translate import contract_of


@dataclass(frozen=True, kw_only=True)
class Json(Format):
    """One object that follows ``report.schema.json``.

    Attributes:
        indent: spaces a level; -1 puts the object on one line.
    """

    indent: int = 2

    def render(self, report: Report, artifacts: Artifacts) -> str:
        """See ``Format.render``."""
        return encode(contract_of(report, artifacts), self.indent)
