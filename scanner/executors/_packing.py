"""How many scans fit on a machine at once, by cores, memory and GPUs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..work import Share
from ._machine import Gpu, Machine

if TYPE_CHECKING:
    from ..jobs import Job

__all__ = ["Packing", "Slot"]

MIB = 1 << 20
# What a scan takes: 530 MiB with small models, 5 bytes more for each of a model of 140 MiB (message, session,
# twin, gradients). Pictures and activations differ by model: what ended before, of like size, corrects this.
BASE, PER_BYTE = 640 * MIB, 8
MARGIN = 1.25  # on what was seen
ALIKE = 4.0  # sizes up to so many times each other
# On a GPU: the contexts of two libraries, and the same copies. Assumed; not measured.
GPU_BASE, GPU_PER_BYTE = 2048 * MIB, 40
ALONE_AFTER = 2  # losses: then whatever goes wrong has one possible cause
MOST_SEEN = 200


@dataclass(frozen=True)
class Slot:
    """Room that a job has.

    Attributes:
        memory: that is kept for it, in bytes.
        share: of cores and GPUs.
        gpu, gpu_memory: the GPU that it is on, and what is kept for it there; None and 0 for none.
    """

    memory: int
    share: Share
    gpu: Gpu | None = None
    gpu_memory: int = 0


@dataclass
class Packing:
    """Who has which room now, and what jobs were seen to need.

    Attributes:
        machine: whose room it is; its GPUs are shared by as many jobs as fit into their memory.
        workers: most jobs at once.
        memory: bytes for all of them.
        hide_gpus: whether jobs see no GPU, even where there is one.
    """

    machine: Machine
    workers: int
    memory: int
    hide_gpus: bool = False
    held: dict[str, Slot] = field(default_factory=dict)
    seen: list[tuple[int, int]] = field(default_factory=list)

    def place(self, job: Job) -> Slot | None:
        """Room for a job, kept for it from now on; None while there is none. An empty machine always has some."""
        need = self._alone(job) or self.need(job)
        if self.held and (len(self.held) >= self.workers or need > self.memory - self._used()):
            return None
        gpu = self._roomiest()
        gpu_need = GPU_BASE + GPU_PER_BYTE * job.size_bytes
        if job.options.device == "cpu" or gpu is None:
            gpu, gpu_need = None, 0
        elif gpu_need > self._left(gpu) and any(slot.gpu for slot in self.held.values()):
            return None
        self.held[job.key] = Slot(need, self._share(job, gpu), gpu, gpu_need)
        return self.held[job.key]

    def ended(self, job: Job, peak_memory: int) -> None:
        """A job has left its room; ``peak_memory`` is what it really took, 0 if unknown."""
        self.held.pop(job.key)
        if peak_memory:
            self.seen = [*self.seen, (job.size_bytes, peak_memory)][-MOST_SEEN:]

    def need(self, job: Job) -> int:
        """Bytes that a job will take: as much as the greediest of those like it, or else by its size."""
        alike = [
            peak
            for size, peak in self.seen
            if max(size, job.size_bytes, MIB) <= ALIKE * max(min(size, job.size_bytes), MIB)
        ]
        return int(MARGIN * max(alike)) if alike else BASE + PER_BYTE * job.size_bytes

    def _alone(self, job: Job) -> int:
        """All the memory for a job that must have no other beside it; else 0."""
        return self.memory if job.losses >= ALONE_AFTER or not job.sandbox else 0

    def _used(self) -> int:
        return sum(slot.memory for slot in self.held.values())

    def _share(self, job: Job, gpu: Gpu | None) -> Share:
        threads = max(1, self.machine.cores // self.workers)
        if self.hide_gpus:
            return Share(threads, "")
        return Share(threads, gpu.name if gpu else None)

    def _roomiest(self) -> Gpu | None:
        return max(self.machine.gpus, key=self._left, default=None)

    def _left(self, gpu: Gpu) -> int:
        return gpu.memory - sum(slot.gpu_memory for slot in self.held.values() if slot.gpu == gpu)
