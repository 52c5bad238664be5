"""What somebody probably meant who wrote a name that does not exist."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from ..converters.messages import one_line

__all__ = ["did_you_mean"]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``'; did you mean "steps"?'``, to end a message with; "" where nothing known is near."""
    close = get_close_matches(word.casefold(), list(known), n=1, cutoff=0.6)
    return f'; did you mean "{one_line(close[0])}"?' if close else ""
