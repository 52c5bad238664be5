"""Names of a catalog as relative URIs, which hold on every machine."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

__all__ = ["BASES", "location_of", "uri_of"]

_HUB = "hf://"
_SAFE = "/!@+,=~"  # beside letters, digits and "-._~"; no colon, which would make a scheme of a first segment
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
ROOT, HUB = "%SRCROOT%", "HUB"

BASES: dict[str, Any] = {
    ROOT: {"description": {"text": "The folder in which onnxray was called."}},
    HUB: {"description": {"text": "The Hugging Face hub: organisation/repository@revision/file."}},
}
"""``originalUriBaseIds`` of a SARIF run; without URIs, as those differ from machine to machine."""


def uri_of(name: str) -> tuple[str, str]:
    """A model's name as a URI reference, and the id of what it is relative to ("" for an absolute one).

    Bytes of a file name that are no UTF-8 (lone surrogates) become themselves.
    """
    if name.startswith(_HUB):
        return _quoted(name.removeprefix(_HUB)), HUB
    if _DRIVE.match(name):
        return f"file:///{name[0]}:/{_quoted(name[3:].replace(chr(92), '/'))}", ""
    if name.startswith("/"):
        return f"file:///{_quoted(name.lstrip('/'))}", ""
    return _quoted(re.sub(r"^(\./+)+(?=.)", "", name)), ROOT


def location_of(name: str, index: int) -> dict[str, Any]:
    """A SARIF ``artifactLocation``.

    Args:
        index: where the model stands in the run's artifacts.
    """
    uri, base = uri_of(name)
    return {"uri": uri, **({"uriBaseId": base} if base else {}), "index": index}


def _quoted(path: str) -> str:
    # What is no path of bytes (surrogates other than those of the file system) is spelled out instead.
    try:
        raw = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = path.encode("utf-8", "backslashreplace")
    return quote(raw, safe=_SAFE)
