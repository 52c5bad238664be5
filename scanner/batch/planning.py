"""From a catalog to jobs, each with a key that stands for everything its report depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..catalog import Catalog, Entry
from ..config import ScanOptions
from ..errors import OnnxrayError, OptionError, SamplesError
from ..jobs import Job
from ..version import __version__
from .entry_options import checked, detectors, options_of
from .identity import Contents

__all__ = ["BatchOptions", "Plan", "plan"]

_SCHEME = 1  # of the keys; another one makes every job a new one


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
        jobs: of this shard, each model once for its options; large ones first, so that none is left for the end.
        keys: name of each entry, of all shards -> key of its job.
    """

    jobs: tuple[Job, ...]
    keys: Mapping[str, str]


def plan(catalog: Catalog, batch: BatchOptions) -> Plan:
    """The jobs of a catalog.

    The memory limit and the sandbox are no part of a key: they decide whether there is a report, not what it says.

    Raises:
        OptionError: an option of an entry is unknown or wrong, naming the entry; or an impossible shard.
        SamplesError: the batch's pictures cannot be read. Those of a single entry are left to its scan.
    """
    part, parts = batch.shard
    if not 1 <= part <= parts:
        raise OptionError(f"expected a shard I/N with 1 <= I <= N, got {part}/{parts}")
    checked(batch.options)
    contents = Contents()
    for path in (batch.data, batch.training_data):
        _readable(contents, path)
    jobs, keys = dict[str, Job](), dict[str, str]()
    for entry in catalog.entries:
        job = _job(entry, batch, contents)
        keys[entry.name] = job.key
        if int(job.key[:15], 16) % parts == part - 1:
            jobs.setdefault(job.key, job)
    return Plan(tuple(sorted(jobs.values(), key=lambda job: (-job.size_bytes, job.key))), keys)


def _readable(contents: Contents, path: Path | None) -> None:
    try:
        contents.of(path)
    except OSError as error:
        raise SamplesError(f"{path}: cannot be read ({error.strerror}); check the path") from None


def _job(entry: Entry, batch: BatchOptions, contents: Contents) -> Job:
    options = options_of(entry, batch.options)
    data, training = entry.data or batch.data, entry.training_data or batch.training_data
    return Job(
        key=_key(entry, options, (data, training), contents),
        name=entry.name,
        path=entry.path.absolute(),
        sha256=entry.sha256,
        size_bytes=entry.size_bytes,
        member=entry.member,
        data=data and data.absolute(),
        training_data=training and training.absolute(),
        options=options,
        max_memory=batch.max_memory,
        sandbox=batch.sandbox,
    )


def _key(entry: Entry, options: ScanOptions, pictures: tuple[Path | None, ...], contents: Contents) -> str:
    told = asdict(options) | {
        "calibration": _calibration(options, entry, contents),
        "detectors": options.detectors or detectors(),
        "settings": {n: {o: str(v) for o, v in values.items()} for n, values in options.settings.items()},
    }
    del told["tolerant"]  # of every batch
    if not options.also:  # as in keys from before there was such an option
        del told["also"]
    parts = {
        "scheme": _SCHEME,
        "version": __version__,
        "model": entry.sha256,
        "beside": _beside(entry, contents),
        "pictures": [_content(contents, path) for path in pictures],
        "options": told,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _calibration(options: ScanOptions, entry: Entry, contents: Contents) -> str:
    """The shipped one changes with the version, and with the checkout of someone who works on it."""
    path = options.calibration or Path(__file__).parents[1] / "calibration.json"
    try:
        return contents.of(path)
    except OSError as error:
        raise OptionError(f"{entry.name}: the calibration {path} cannot be read ({error.strerror})") from None


def _beside(entry: Entry, contents: Contents) -> str:
    try:
        return contents.beside(entry.path, entry.member)
    except (OSError, OnnxrayError):
        return "unreadable"


def _content(contents: Contents, path: Path | None) -> str:
    """A file that is not there makes another key than the same file once it is."""
    try:
        return contents.of(path)
    except OSError:
        return f"unreadable {path}"
