"""Which process is which: a number is used again, and means another process in another container."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["place", "started"]


def place() -> str:
    """Where a process number means this process: boot and name space; "" where the system does not tell."""
    if not sys.platform.startswith("linux"):
        return ""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def started(process: int) -> str:
    """When a process of this place began, in ticks since the boot; "" where there is none.

    One that has ended, and whose parent has not noticed yet, is none.
    """
    try:
        told = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if told[0] in "ZX" else told[19]
