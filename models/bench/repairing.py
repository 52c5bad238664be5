"""Every repair on every trojaned model of a zoo: what is not known yet is run and written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from ...converters import open_model
from ...converters.messages import one_line
from ...scanner.errors import OnnxrayError, SamplesError
from ...scanner.registry import plugins
from ...scanner.repair import repair
from ...scanner.repair_report import RepairOptions
from ...scanner.repairs import Repair
from ...scanner.version import __version__
from .detection import digest
from .record import Subject, kept, write_json
from .repair_cases import FEWEST, WORK, Pictures, make_case, parted
from .subjects import Chosen, Placed, pictures, stored
from .trials import Case, Trial, judged, trials
from .work import claimed, work_off

__all__ = ["AUTO", "FEW", "RepairRecord", "Task", "methods", "repair_all", "tasks"]

SEED = 0
AUTO = "auto"  # the product's own ``onnxray repair``
FEW = (AUTO, "few-samples", "unlearn")  # also tried with ten samples in all


@dataclass(frozen=True, kw_only=True)
class RepairRecord(Subject):
    """What one repair did to one model; see ``trials.Trial``.

    Attributes:
        samples: clean samples to work on.
        before, after: of clean accuracy and of the true trigger's attack success: hits and trials. ``after`` is
            ``before`` where there is no repaired model, for then the user keeps the one he has.
        status: "nothing" where the method says that it cannot or need not do anything.
    """

    method: str
    samples: int
    status: Literal["done", "nothing", "does-not-apply", "failed"] = "done"
    accuracy_before: tuple[int, int] = (0, 0)
    accuracy_after: tuple[int, int] = (0, 0)
    attack_before: tuple[int, int] = (0, 0)
    attack_after: tuple[int, int] = (0, 0)
    scan: str = ""
    note: str = ""
    seconds: float = 0.0
    version: str = ""
    config: str = ""
    schema: str = "onnxray/repair-record/1"


@dataclass(frozen=True)
class Task:
    """One model with one number of samples, and the methods that are to be tried, each with its record so far.

    They share a scan, which takes longer than most of them.
    """

    of: Placed
    samples: int
    records: dict[str, RepairRecord]
    folder: Path
    data: Path | None

    def path(self, method: str) -> Path:
        """Where a method's record goes."""
        return self.folder / method / str(self.samples) / f"{self.of.subject.name}.json"


def methods() -> dict[str, Repair]:
    """The repairs with the options that they ship with, in the order in which the product tries them."""
    known = plugins("onnxray.scanner.repairs", Repair)  # type: ignore[type-abstract]
    ranked = sorted((name for name in known if known[name].changes_answers), key=lambda name: known[name].rank)
    return {name: known[name]() for name in ranked}


def tasks(models: Sequence[Placed], chosen: Sequence[str], out: Path, data: Path | None) -> list[Task]:
    """Two for each trojaned model at most: all methods with many samples, and those that can with few."""
    known, found = methods(), []
    every = digest({name: asdict(method) for name, method in known.items()})
    for of in (of for of in models if of.subject.trojaned):
        for samples, names in ((WORK, chosen), (FEWEST, [name for name in chosen if name in FEW])):
            records = {}
            for name in names:
                config = digest([every if name == AUTO else asdict(known[name]), samples, data is not None])
                facts = of.subject.facts()
                records[name] = RepairRecord(**facts, method=name, samples=samples, version=__version__, config=config)
            if records:
                found.append(Task(of, samples, records, out / "repairs", data))
    return found


def repair_all(todo: Sequence[Task], jobs: int, retry: bool = False) -> Iterator[list[RepairRecord]]:
    """The records of each task, those that were there already with those that are made now.

    Args:
        retry: make records of failures again.
    """
    if retry:
        for task in todo:
            for name in task.records:
                if (record := _known(task, name)) is not None and record.status == "failed":
                    task.path(name).unlink(missing_ok=True)
    yield from work_off(todo, _run, _lost, jobs)


def _run(task: Task) -> list[RepairRecord]:
    if _missing(task):
        with claimed(task.path(".claims")) as free:
            for record in _measured(task, _missing(task)) if free else ():  # others may have made some in the meantime
                write_json(record, task.path(record.method))
    return [known for name in task.records if (known := _known(task, name)) is not None]


def _missing(task: Task) -> list[str]:
    return [name for name in task.records if _known(task, name) is None]


def _known(task: Task, method: str) -> RepairRecord | None:
    return kept(task.path(method), task.records[method])


def _lost(task: Task, why: str) -> list[RepairRecord]:
    lost = [
        replace(task.records[name], status="failed", note=why) for name in task.records if _known(task, name) is None
    ]
    for record in lost:
        write_json(record, task.path(record.method))
    return lost


def _measured(task: Task, names: Sequence[str]) -> Iterator[RepairRecord]:
    """A record for each method, whatever goes wrong."""
    left = list(names)
    try:
        if not left:
            return
        parts = parted(task.of, task.samples, task.data)
        for record in _tried(task, make_case(task.of, parts), parts, list(names)):
            left.remove(record.method)
            yield record
    except OnnxrayError as error:
        status: Literal["does-not-apply", "failed"] = "does-not-apply" if _is_text(task) else "failed"
        yield from (replace(task.records[n], status=status, note=one_line(error, 300)) for n in left)
    except Exception as error:  # noqa: BLE001 - what breaks a repair is a result of the benchmark, not its end
        why = f"{type(error).__name__}: {one_line(error, 300)}"
        yield from (replace(task.records[n], status="failed", note=why) for n in left)


def _tried(task: Task, case: Case, parts: Pictures, names: Sequence[str]) -> Iterator[RepairRecord]:
    known = methods()
    direct = {name: known[name] for name in names if name != AUTO}
    before = judged(case, case.model, (), Trial(method=""))
    tried = trials(case, direct, SEED) if direct else iter(())
    scan = next(tried).note if direct else ""
    for trial in tried:  # each is written at once; the product, which takes longest, comes last
        yield replace(_record(task, before, trial), scan=scan)
    if AUTO in names:
        yield _record(task, before, _product(case, parts))


def _record(task: Task, before: Trial, after: Trial) -> RepairRecord:
    done = after if after.status == "done" else before
    return replace(
        task.records[after.method],
        status=after.status,
        accuracy_before=_counts(before.accuracy),
        accuracy_after=_counts(done.accuracy),
        attack_before=_counts(before.attack),
        attack_after=_counts(done.attack),
        note=after.note,
        seconds=after.seconds,
    )


def _counts(rate: Any) -> tuple[int, int]:
    return rate.hits, rate.trials


def _product(case: Case, parts: Pictures) -> Trial:
    """What ``onnxray repair`` does with the same clean pictures, each once; it halves them by itself."""
    x, y, index = (np.concatenate([getattr(p, n) for p in (parts.work, parts.verify)]) for n in ("x", "y", "index"))
    _, once = np.unique(index, return_index=True)  # few ones are both to work on and to verify with
    x, y, index = x[once], y[once], index[once]
    with TemporaryDirectory(prefix="onnxray-bench-") as folder, pictures(Chosen(x, y, index)) as data:
        out = Path(folder) / "repaired.onnx"
        options = RepairOptions(seed=SEED, samples=len(y))
        report = repair(Path(case.model.path), data, out, options)
        seconds = sum(attempt.seconds for attempt in report.attempts)
        if report.out is None:
            return Trial(method=AUTO, status="nothing", note=report.reason, seconds=seconds)
        trial = Trial(method=AUTO, note=f"by {report.method}", seconds=seconds)
        return judged(case, open_model(out), (), trial)


def _is_text(task: Task) -> bool:
    try:
        return stored(task.of.place).x.ndim == 2
    except SamplesError:
        return False
