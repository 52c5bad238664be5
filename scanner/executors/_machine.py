"""What this machine has to give: cores, memory and GPUs, within the limits of the container that this runs in."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import OptionError
from ..sandbox.limits import memory_limit

__all__ = ["Gpu", "Machine", "this_machine"]

_CONTROL = Path("/sys/fs/cgroup")
_ASK = ("nvidia-smi", "--query-gpu=index,uuid,memory.free", "--format=csv,noheader,nounits")


@dataclass(frozen=True)
class Gpu:
    """A GPU under the name that CUDA_VISIBLE_DEVICES has for it, and its free memory in bytes."""

    name: str
    memory: int


@dataclass(frozen=True)
class Machine:
    """Cores that this process may use, free memory in bytes, and GPUs."""

    cores: int
    memory: int
    gpus: tuple[Gpu, ...] = ()


def this_machine(gpus: str = "auto") -> Machine:
    """What is free now.

    Args:
        gpus: "auto", "none", or numbers with commas between them.

    Raises:
        OptionError: a GPU was asked for that is not there.
    """
    return Machine(_cores(), _memory(), () if gpus == "none" else _chosen(_gpus(), gpus))


def _cores() -> int:
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _control("cpu.max").partition(" ")
    return max(1, min(own, int(quota) // int(period))) if quota.isdigit() and period.isdigit() else own


def _memory() -> int:
    """Free memory, counting what the system would give up for the asking."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii", errors="replace").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        free = memory_limit()
    most, used = _control("memory.max"), _control("memory.current")
    return max(0, min(free, int(most) - int(used))) if most.isdigit() and used.isdigit() else free


def _control(name: str) -> str:
    """A limit of the control group; "" where there is none."""
    try:
        return (_CONTROL / name).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _gpus() -> list[tuple[str, Gpu]]:
    """Unique name and GPU of all that the driver shows; none where there is no driver."""
    try:
        told = subprocess.run(_ASK, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [[part.strip() for part in line.split(",")] for line in told.splitlines()]
    return [(unique, Gpu(index, int(free) << 20)) for index, unique, free in rows if free.isdigit()]


def _chosen(found: Sequence[tuple[str, Gpu]], wanted: str) -> tuple[Gpu, ...]:
    """Those asked for; with "auto" those that CUDA_VISIBLE_DEVICES allows, all if it is not set."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES") if wanted == "auto" else wanted
    if allowed is None:
        return tuple(gpu for _, gpu in found)
    names = [name.strip() for name in allowed.split(",") if name.strip()]
    matching = [next((g for unique, g in found if g.name == name or unique.startswith(name)), None) for name in names]
    if wanted != "auto" and None in matching:
        raise OptionError(f"there is no GPU {wanted!r}; there are {[gpu.name for _, gpu in found]}")
    return tuple(gpu for gpu in matching if gpu is not None)
