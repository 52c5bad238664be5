"""The command line: parse, call, print, exit code; no logic."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, by default with the process's arguments; ends with ``SystemExit``.

    Nothing is imported before this call, so that Ctrl-C while the libraries are being loaded is met, too.
    """
    try:
        from .commands import main as run

        run(arguments, prog_name="onnxray")
    except KeyboardInterrupt:  # outside a command; inside one ``exit_codes.exits`` tells it
        sys.stderr.write("onnxray: interrupted\n")
        sys.exit(130)
