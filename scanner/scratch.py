"""Temporary folders that say whose they are, so that those of a process that was killed can be removed."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from .processes import place, started

__all__ = ["scratch_folder", "sweep"]

_NAME = re.compile(r"onnxray-([0-9a-f]{12})-(\d+)-(\d+)-\w+")


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """An empty folder for as long as the context lasts.

    Raises:
        OSError: none can be made.
    """
    return tempfile.TemporaryDirectory(prefix=_prefix(), ignore_cleanup_errors=True)


def sweep() -> None:
    """Remove what this user's dead processes of this machine have left behind."""
    if not (here := place()):
        return
    for path in Path(tempfile.gettempdir()).glob("onnxray-*"):
        told = _NAME.fullmatch(path.name)
        if told and told[1] == _digest(here) and started(int(told[2])) != told[3]:
            with suppress(OSError):
                if path.lstat().st_uid == os.geteuid():
                    shutil.rmtree(path, ignore_errors=True)


def _prefix() -> str:
    here = place()
    return f"onnxray-{_digest(here)}-{os.getpid()}-{started(os.getpid())}-" if here else "onnxray-"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
