"""What standard output can show, and how something rich becomes text for it."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["LOOKS", "WORST_FIRST", "shown", "terminal"]

LOOKS = {
    "backdoored": ("✖", "red"),
    "suspicious": ("▲", "yellow"),
    "inconclusive": ("?", "magenta"),
    "error": ("!", "magenta"),
    "not scanned": ("–", "magenta"),
    "waiting": ("·", "dim"),
    "clean": ("✔", "green"),
}
"""Symbol and colour of each label that an answer can have."""

WORST_FIRST = tuple(LOOKS)
_ASCII = str.maketrans("✖▲–✔·…━╸╺─≥", "X!-+..=- ->")


def terminal() -> dict[str, object]:
    """What standard output can show, under the names of the formats' options."""
    from rich.console import Console

    console = Console()
    colors = "none" if console.no_color or console.color_system in (None, "windows") else console.color_system
    return {"width": console.width, "colors": colors, "ascii": not console.encoding.startswith("utf")}


def shown(renderable: RenderableType) -> bytes:
    """Something rich as UTF-8 for standard output, or as ASCII where it shows no more; without a final newline."""
    from rich.console import Console

    looks = terminal()
    colors = None if looks["colors"] == "none" else str(looks["colors"])
    console = Console(
        file=StringIO(), width=Console().width, color_system=colors, force_terminal=colors is not None,  # type: ignore[arg-type]
        no_color=colors is None, legacy_windows=False, markup=False, emoji=False, highlight=False,
    )  # fmt: skip
    with console.capture() as captured:
        console.print(renderable)
    lines = "\n".join(line.rstrip() for line in captured.get().splitlines())
    return lines.translate(_ASCII).encode("ascii", "replace") if looks["ascii"] else lines.encode()
