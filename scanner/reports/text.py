"""The report for people, in a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO
from typing import Literal

from rich.console import Console

from ..findings import Report
from . import Artifacts, Format
from ._sections import view

ASCII = str.maketrans("╭╮╰╯─│━╸╺◀✖▲✔·×…", "++++-|=- <X!+-x.")


@dataclass(frozen=True, kw_only=True)
class Text(Format):
    """The verdict first, then why, then the figures, then what was not checked.

    Attributes:
        width: columns.
        colors: what the terminal can show; a picture of the trigger needs "256" or "truecolor".
        ascii: use no character beyond ASCII.
    """

    width: int = 80
    colors: Literal["none", "standard", "256", "truecolor"] = "none"
    ascii: bool = False

    def render(self, report: Report, artifacts: Artifacts) -> str:
        """See ``Format.render``."""
        console = Console(
            file=StringIO(),
            width=self.width,
            color_system=None if self.colors == "none" else self.colors,
            force_terminal=self.colors != "none",
            no_color=self.colors == "none",
            legacy_windows=False,
            markup=False,
            emoji=False,
            highlight=False,
        )
        with console.capture() as captured:
            pictures = self.colors in ("256", "truecolor") and not self.ascii
            console.print(view(report, artifacts, self.width, pictures))
        lines = "\n".join(line.rstrip() for line in captured.get().splitlines())
        return lines.translate(ASCII).encode("ascii", "replace").decode() if self.ascii else lines
