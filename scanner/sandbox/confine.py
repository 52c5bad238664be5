"""Give up, for good and before anything of a stranger's is touched, every right that a scan does not need."""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from .landlock import restrict_writes
from .limits import Confinement, Limits
from .seccomp import restrict_calls

__all__ = ["confine"]

_PARENT_DEATH_SIGNAL = 1
_CAPSET = {"x86_64": 126, "aarch64": 91}
_READ_ANY_FILE = 1 << 2  # CAP_DAC_READ_SEARCH: root reads other users' models
_CAPABILITIES_3 = 0x20080522


def confine(limits: Limits, folders: Sequence[Path], gpu: bool) -> Confinement:
    """Confine this process and all that it starts; to be called once, before it has a second thread.

    Args:
        limits: memory, CPU time and size of files; the parent holds the rest.
        folders: where it may write.
        gpu: CUDA reserves address space far beyond any memory, so only the parent watches over memory then.
    """
    _offer_to_the_killer()
    memory = _limit_resources(limits, gpu)
    files, network = restrict_writes(folders), restrict_calls()
    _drop_capabilities()
    return Confinement(files=files, network=network, memory=memory)


def _offer_to_the_killer() -> None:
    """Should the machine run out of memory, this process goes first; and it goes when its parent does.

    The kernel means the thread that started this process, which waits for it to the end.
    """
    if sys.platform.startswith("linux"):
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        if os.environ.get("ONNXRAY_PARENT") not in (None, str(os.getppid())):
            os._exit(1)  # it was gone before the signal was asked for


def _limit_resources(limits: Limits, gpu: bool) -> str:
    try:
        import resource
    except ImportError:  # not a Unix
        return ""
    wanted = {"CORE": 0, "CPU": limits.cpu_seconds, "FSIZE": limits.file_bytes}
    if not gpu:
        wanted["DATA"] = limits.most_memory
    for name, most in wanted.items():
        number = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(number)[1]
        soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
        later = soft + 5 if name == "CPU" and hard == resource.RLIM_INFINITY else soft  # SIGXCPU, then SIGKILL
        with suppress(OSError, ValueError):
            resource.setrlimit(number, (soft, later))
    # Other systems have the name, and do not count what is mapped.
    return "RLIMIT_DATA" if "DATA" in wanted and sys.platform.startswith("linux") else ""


def _drop_capabilities() -> None:
    """Root keeps the one right that a scan needs: to read."""
    call = _CAPSET.get(os.uname().machine) if sys.platform.startswith("linux") else None
    if call is None or os.geteuid() != 0:
        return
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITIES_3, 0))
    sets = struct.pack("=6I", _READ_ANY_FILE, _READ_ANY_FILE, 0, 0, 0, 0)
    ctypes.CDLL(None).syscall(ctypes.c_long(call), header, ctypes.create_string_buffer(sets))
