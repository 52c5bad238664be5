"""What the tool decides: audit, detect, judge, repair, report."""

from .version import __version__

__all__ = ["__version__"]
