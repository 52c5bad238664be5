"""Who says what of which model, with how many clean samples: everything that is not known yet is run and written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Literal

from ...converters.messages import one_line
from ...scanner.errors import ModelError, OnnxrayError, SamplesError
from ...scanner.version import __version__
from .record import OURS, Record, kept, write_json
from .subjects import STORED, Placed, choose, pictures
from .work import claimed, work_off

__all__ = ["Outcome", "Task", "detect_all", "digest", "tasks"]

SEED = 0


@dataclass(frozen=True)
class Task:
    """One scan that is to be made.

    Attributes:
        record: as far as it is known before the scan.
        path: where it goes.
        full: whether a peer runs as published, however long that takes.
    """

    of: Placed
    record: Record
    path: Path
    data: Path | None
    full: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a task: run now, known before, or in work elsewhere."""

    record: Record
    status: Literal["made", "kept", "elsewhere"]


def tasks(
    models: Sequence[Placed],
    whos: Sequence[str],
    counts: Sequence[int],
    out: Path,
    data: Path | None,
    full: bool = False,
) -> list[Task]:
    """A task for each, by number of samples, then model, then who; peers only where their samples suffice."""
    from .ours import settings
    from .theirs import peer

    peers = {who: peer(who, full) for who in whos if who != OURS}
    set_by = {who: settings(SEED) if who == OURS else asdict(peers[who]) for who in whos}
    found = []
    for count in counts:
        here = [who for who in whos if who == OURS or peers[who].needs_samples <= count]
        for of in models:
            for who in here:
                config = digest([set_by[who], count, count > STORED and data is not None])
                record = Record(**of.subject.facts(), who=who, samples=count, version=__version__, config=config)
                path = out / "records" / who / str(count) / f"{of.subject.name}.json"
                found.append(Task(of, record, path, data, full))
    return found


def detect_all(todo: Sequence[Task], jobs: int, retry: bool = False) -> Iterator[Outcome]:
    """What is known already, then each scan as soon as its record is written.

    Args:
        retry: make records of failures again.
    """
    missing = []
    for task in todo:
        record = _known(task)
        if record is not None and record.status == "failed" and retry:
            task.path.unlink(missing_ok=True)
            record = None
        if record is None:
            missing.append(task)
        else:
            yield Outcome(record, "kept")
    yield from work_off(missing, _run, _lost, jobs)


def _known(task: Task) -> Record | None:
    return kept(task.path, task.record)


def _run(task: Task) -> Outcome:
    with claimed(task.path) as free:
        if not free:
            return Outcome(task.record, "elsewhere")
        if (record := _known(task)) is not None:  # by another run, a moment ago
            return Outcome(record, "kept")
        record = _measured(task)
        write_json(record, task.path)
        return Outcome(record, "made")


def _lost(task: Task, why: str) -> Outcome:
    record = replace(task.record, status="failed", error=why)
    write_json(record, task.path)
    return Outcome(record, "made")


def _measured(task: Task) -> Record:
    """The whole record; whatever goes wrong is told in it."""
    started, record = monotonic(), task.record
    try:
        record = _answered(task)
    except OnnxrayError as error:
        status: Literal["does-not-apply", "failed"] = "does-not-apply" if _is_text(task) else "failed"
        record = replace(record, status=status, error=one_line(error, 500))
    except Exception as error:  # noqa: BLE001 - a model that breaks a scan is a result of the benchmark, not its end
        record = replace(record, status="failed", error=f"{type(error).__name__}: {one_line(error, 500)}")
    return replace(record, seconds=monotonic() - started)


def _answered(task: Task) -> Record:
    record, model = task.record, task.of.model
    _check_identity(model, record.sha256)
    if not record.samples:
        return _asked(record, model, None, task.full)
    chosen = choose(task.of, record.samples, task.data)
    with pictures(chosen) as path:
        return _asked(replace(record, samples_used=len(chosen.y)), model, path, task.full)


def _asked(record: Record, model: Path, path: Path | None, full: bool) -> Record:
    if record.who == OURS:
        from .ours import scanned

        return scanned(record, model, path, SEED)
    from .theirs import answered, peer

    return answered(record, model, path, peer(record.who, full), SEED)


def _check_identity(model: Path, digest: str) -> None:
    try:
        content = model.read_bytes()
    except OSError as error:
        raise ModelError(f"{model}: cannot be read ({error.strerror}); build the zoo again") from None
    if sha256(content).hexdigest() != digest:
        raise ModelError(f"{model}: is not the file that truth.json tells of; remove its folder and build again")


def _is_text(task: Task) -> bool:
    """Whether the model takes rows of token ids; no scanner here is made for those."""
    try:
        return choose(task.of, 2, None).x.ndim == 2
    except SamplesError:
        return False


def digest(settings: object) -> str:
    """A dozen hexadecimal digits of everything that is set."""
    text = json.dumps(settings, sort_keys=True, default=str)
    return sha256(text.encode()).hexdigest()[:12]
