"""What programs and archives begin with, for bytes that are nobody's weights."""

from __future__ import annotations

import re

__all__ = ["kind_of"]

_KINDS = (
    (rb"\x7fELF[\x01\x02][\x01\x02]\x01", "a Linux program (ELF)"),
    (rb"MZ[\x00-\xff]{58}[\x40-\xff][\x00-\x03]\x00\x00", "a Windows program (MZ)"),
    (rb"(?:\xfe\xed\xfa[\xce\xcf]|[\xce\xcf]\xfa\xed\xfe|\xca\xfe\xba\xbe)", "a macOS program or a Java class"),
    (rb"PK\x03\x04[\x00-\x3f]\x00", "a ZIP archive"),
    (rb"\x80[\x02-\x05](?:\x95[\x00-\xff]{8}|[}\](c\x8c])", "a Python pickle"),
    (rb"\x1f\x8b\x08[\x00-\x1f]", "gzip data"),
    (rb"\xfd7zXZ\x00", "xz data"),
    (rb"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (rb"#!\s?/(?:usr/)?bin/", "a script"),
    (rb"%PDF-1\.", "a PDF"),
)
_PATTERNS = tuple((re.compile(pattern), kind) for pattern, kind in _KINDS)


def kind_of(content: bytes) -> str:
    """What these bytes begin with, in words; "" for nothing known."""
    return next((kind for pattern, kind in _PATTERNS if pattern.match(content)), "")
