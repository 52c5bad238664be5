"""JSON that is the same for the same answers, and that no name in it can break."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..contract import encode

__all__ = ["dumps", "plain"]


def dumps(value: Mapping[str, Any], indent: int = 2) -> str:
    """The object as ``contract.encode`` writes it, once lone surrogates in its texts are spelled out.

    Args:
        indent: spaces a level; -1 puts the object on one line.
    """
    return encode(plain(value), indent)


def plain(value: Any) -> Any:
    """The same with lone surrogates (bytes of a file name that are no UTF-8) spelled out: JSON cannot hold them."""
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case Mapping():
            return {plain(str(key)): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return value
