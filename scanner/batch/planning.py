"""From a catalog to jobs, each with a key that stands for everything its report depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..catalog import Catalog
from ..config import ScanOptions
from ..jobs import Job

__all__ = ["BatchOptions", "Plan", "plan"]


@dataclass(frozen=True, kw_only=True)
class BatchOptions:
    """What a batch is asked to do with each model that its catalog says nothing else of.

    Attributes:
        data, training_data, options: of ``pipeline.scan``.
        shard: (i, n): only the i-th of n parts, from 1 on; parts are equal on every machine.
        retry: whether jobs that failed before, or whose process died, are tried again.
        max_memory, sandbox: of ``Job``.
    """

    data: Path | None = None
    training_data: Path | None = None
    options: ScanOptions = field(default_factory=ScanOptions)
    shard: tuple[int, int] = (1, 1)
    retry: bool = False
    max_memory: int = 0
    sandbox: bool = True


@dataclass(frozen=True)
class Plan:
    """What is to be done for a catalog.

    Attributes:
        jobs: of this shard, in the order in which they should begin; each model once for its options.
        keys: name of each entry, of all shards -> key of its job.
    """

    jobs: tuple[Job, ...]
    keys: Mapping[str, str]


def plan(catalog: Catalog, batch: BatchOptions) -> Plan:
    """The jobs of a catalog.

    Raises:
        OptionError: an option of an entry is unknown or wrong, naming the entry; or an impossible shard.
        SamplesError: pictures that cannot be read.
    """
    raise NotImplementedError
