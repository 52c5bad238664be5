"""What the timings were taken on."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

import torch

__all__ = ["Machine", "machine"]


@dataclass(frozen=True)
class Machine:
    """A processor by its own name, and what torch makes of it."""

    name: str
    device: str
    torch: str
    threads: int

    def __str__(self) -> str:
        """All of it in one line."""
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{self.name}, torch {self.torch}, {threads}"


def machine(device: torch.device | str) -> Machine:
    """The processor that a device is, with torch's present number of threads."""
    kind = torch.device(device).type
    name = torch.cuda.get_device_name(device) if kind == "cuda" else _cpu_name()
    return Machine(name, kind, str(torch.__version__), torch.get_num_threads())


def _cpu_name() -> str:
    """The model's name; where the system does not tell, its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(filter(None, [*names, platform.processor(), platform.machine()]), "unknown processor")
