"""No write outside one folder: Linux's Landlock, through its three system calls.

https://docs.kernel.org/userspace-api/landlock.html. Reading stays free: the interpreter and the libraries lie anywhere.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

__all__ = ["restrict_writes"]

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446  # the same on every architecture
_GET_VERSION, _PATH_BENEATH = 1, 1
_NO_NEW_PRIVS = 38
_WRITE_FILE, _REFER, _TRUNCATE = 1 << 1, 1 << 13, 1 << 14
# Write and truncate a file, and everything that makes, removes, renames or links one.
_WRITES = _WRITE_FILE | sum(1 << bit for bit in range(4, 13))
_TCP = 0b11  # bind and connect
_SCOPES = 0b11  # abstract sockets and signals of processes outside
_DEVICES = ("null", "zero", "nvidia*", "dri", "dxg", "kfd")


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def restrict_writes(folders: Sequence[Path]) -> str:
    """Let this thread, and all that it starts, write in these folders and to devices that compute, and nowhere else.

    Returns:
        What holds now, in words; "" where the kernel has no Landlock.
    """
    if not sys.platform.startswith("linux"):
        return ""
    version = _call(_CREATE, None, 0, _GET_VERSION)
    if version < 1:
        return ""
    writes = _WRITES | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    wanted = _Ruleset(writes, _TCP if version >= 4 else 0, _SCOPES if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _call(_CREATE, ctypes.byref(wanted), size, 0)
    if ruleset < 0:
        return ""
    try:
        for folder in folders:
            _allow(ruleset, folder, writes)
        for device in (found for name in _DEVICES for found in Path("/dev").glob(name)):
            _allow(ruleset, device, writes if device.is_dir() else _WRITE_FILE)
        _library().prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
        return f"Landlock {version}" if _call(_RESTRICT, ruleset, 0, 0) == 0 else ""
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    with suppress(OSError):  # a device that is not there needs no right
        number = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            rule = _Beneath(rights, number)
            _call(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
        finally:
            os.close(number)


def _call(number: int, *arguments: object) -> int:
    return int(_library().syscall(ctypes.c_long(number), *arguments))


def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
