"""Names of models and files, which are a stranger's, made visible as they are."""

from __future__ import annotations

__all__ = ["visible"]


def visible(text: str, limit: int = 1000) -> str:
    """The text with each character that cannot be seen spelled out ("\\x1b", "\\u202e"), and its middle cut if long.

    Two names that differ stay different but for what is cut; control and direction characters do nothing.
    """
    shown = text
    if not text.isprintable():
        shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    half = (limit - 1) // 2
    return shown if len(shown) <= limit else f"{shown[:half]}…{shown[-half:]}"
