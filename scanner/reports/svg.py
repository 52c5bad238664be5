"""The report for people as a picture, for pages and documents."""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import StringIO

from rich.console import Console

from ..findings import Report
from . import Artifacts, Format
from ._sections import view


@dataclass(frozen=True, kw_only=True)
class Svg(Format):
    """What a colour terminal shows, as one SVG file.

    Attributes:
        width: columns.
    """

    width: int = 80

    def render(self, report: Report, artifacts: Artifacts) -> str:
        """See ``Format.render``."""
        console = Console(
            file=StringIO(), width=self.width, record=True, color_system="truecolor", force_terminal=True, emoji=False
        )
        console.print(view(report, artifacts, self.width, pictures=True))
        # A fixed id: the same report gives the same file.
        svg = console.export_svg(title="onnxray", unique_id=f"onnxray-{report.model.sha256[:8]}")
        return re.sub(r"@font-face\s*\{.*?\}", "", svg, flags=re.DOTALL)  # rich's fonts would be fetched
