"""Texts and levels as SARIF wants them."""

from __future__ import annotations

from typing import Any

from ..findings import Severity
from ._text import visible

__all__ = ["LEVELS", "message"]

LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.NOTE: "note",
}

LONGEST = 4000
# In a message [a](b) is a link and {0} a placeholder (SARIF 2.1.0, 3.11.5 and 3.11.6): text of a file must be neither.
_ESCAPES = str.maketrans({"\\": "\\\\", "[": "\\[", "]": "\\]", "{": "{{", "}": "}}"})


def message(text: str) -> dict[str, Any]:
    """A message object that shows the text as it is, on one line."""
    return {"text": visible(text, LONGEST).translate(_ESCAPES)}
