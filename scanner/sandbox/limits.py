"""What a confined process may use, and how its work can end."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Confinement", "Died", "Fault", "Limits", "Result", "memory_limit"]

Value = TypeVar("Value")
GIB = 1 << 30


def memory_limit() -> int:
    """Three quarters of this machine's memory in bytes, so that a child's greed never starves the rest; at least 2 GiB.

    8 GiB where the system does not tell.
    """
    try:
        held = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 8 * GIB
    return max(2 * GIB, held * 3 // 4)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The most that a confined process may use.

    Attributes:
        memory: bytes; 0 takes ``memory_limit()``.
        cpu_seconds: of all its threads together.
        seconds: from its start to its end.
        silence: seconds without any sign of progress.
        file_bytes: size of one file in its scratch folder.
    """

    memory: int = 0
    cpu_seconds: int = 7 * 24 * 3600
    seconds: float = 24 * 3600.0
    silence: float = 1800.0
    file_bytes: int = 4 * GIB

    @property
    def most_memory(self) -> int:
        """``memory``, or what stands for 0."""
        return self.memory or memory_limit()


@dataclass(frozen=True)
class Confinement:
    """What really held on this machine, in words; "" where nothing did.

    Attributes:
        files: what keeps it from writing outside its scratch folder.
        network: what keeps it off the network.
        memory: what holds its memory.
    """

    files: str = ""
    network: str = ""
    memory: str = ""


@dataclass(frozen=True)
class Result(Generic[Value]):
    """The function returned.

    Attributes:
        value: what it returned.
        confinement: what the child says that it was held by.
        peak_memory: most bytes that were seen resident; 0 where the system does not tell.
    """

    value: Value
    confinement: Confinement
    peak_memory: int = 0


@dataclass(frozen=True)
class Died:
    """The process ended before the function returned.

    Attributes:
        code: "memory", "cpu-time", "wall-clock", "silence", "signal", "killed", "exit", "garbled" or "stopped".
        why: the same in a sentence, with the limit.
        stage: what it last said that it was doing.
        peak_memory: as of ``Result``.
    """

    code: str
    why: str
    stage: str = ""
    peak_memory: int = 0

    @property
    def lasting(self) -> bool:
        """Whether another try would end likewise: not where something outside ended it, such as the memory killer."""
        return self.code not in ("killed", "stopped")


class Fault(RuntimeError):  # noqa: N818  (what it is, beside Died and Result)
    """The function raised what it should not have; the child's traceback is a note of this exception."""
