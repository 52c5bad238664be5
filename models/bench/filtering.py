"""Which filter finds the poisoned examples of the training sets of a zoo: what is not known yet is run and written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ...converters import open_model
from ...converters.messages import one_line
from ...scanner.config import ScanOptions
from ...scanner.detection import plan
from ...scanner.errors import OnnxrayError, SamplesError
from ...scanner.pipeline import scan
from ...scanner.version import __version__
from ..zoo.build import truth_of
from .detection import digest
from .peers import DataFilter, FilterResult, filters
from .peers._training_set import training_set
from .record import OURS, Subject, kept, write_json
from .subjects import Placed, choose, pictures, saved
from .work import claimed, work_off

if TYPE_CHECKING:
    from .peers import TrainingSet

__all__ = ["SAMPLES", "FilterRecord", "Task", "filter_all", "tasks"]

SEED = 0
SAMPLES = (0, 200)
"""Clean pictures that ours is given beside the training set: it can do without, the others take none."""
METHOD = "activation-clustering"


@dataclass(frozen=True, kw_only=True)
class FilterRecord(Subject):
    """What one filter says of the training set of one model.

    Attributes:
        who: "onnxray" or a filter's id.
        samples: clean pictures asked for beside it.
        examples, poisoned: of the training set, and how many of them carry a trigger; none in that of a model whose
            backdoor was put into its graph. Both 0 where the set could not be made again, or the process died.
        found, right: examples called poisoned, and those of them that are.
        note: ours: the verdict; why it failed.
        seconds: of the method alone.
    """

    who: str
    samples: int = 0
    status: Literal["done", "failed"] = "done"
    examples: int = 0
    poisoned: int = 0
    found: int = 0
    right: int = 0
    note: str = ""
    seconds: float = 0.0
    version: str = ""
    config: str = ""
    schema: str = "onnxray/filter-record/1"

    @property
    def result(self) -> FilterResult:
        """The counts, with precision, recall and F1."""
        return FilterResult(
            found=self.found, right=self.right, poisoned=self.poisoned, examples=self.examples, seconds=self.seconds
        )


@dataclass(frozen=True)
class Task:
    """One model, whose training set is made again, and the answers that are to be had; they share the set."""

    of: Placed
    records: tuple[FilterRecord, ...]
    folder: Path
    data: Path

    def path(self, record: FilterRecord) -> Path:
        """Where an answer goes."""
        return self.folder / record.who / str(record.samples) / f"{self.of.subject.name}.json"


def tasks(models: Sequence[Placed], whos: Sequence[str], out: Path, data: Path) -> list[Task]:
    """One for each model, with an answer of each filter, and ours with and without clean pictures."""
    asked = [(who, count) for who in whos for count in (SAMPLES if who == OURS else (0,))]
    set_by = {who: asdict(plan(_options(0))[METHOD] if who == OURS else filters()[who]()) for who in whos}
    found = []
    for of in models:
        facts = of.subject.facts()
        records = tuple(
            FilterRecord(
                **facts, who=who, samples=count, version=__version__, config=digest([set_by[who], count, str(SEED)])
            )
            for who, count in asked
        )
        found.append(Task(of, records, out / "filters", data))
    return found


def filter_all(todo: Sequence[Task], jobs: int, retry: bool = False) -> Iterator[list[FilterRecord]]:
    """The records of each task, those that were there already with those that are made now.

    Args:
        retry: make records of failures again.
    """
    for task in todo if retry else ():
        for record in task.records:
            if (known := _known(task, record)) is not None and known.status == "failed":
                task.path(record).unlink(missing_ok=True)
    yield from work_off(todo, _run, _lost, jobs)


def _run(task: Task) -> list[FilterRecord]:
    if _missing(task):
        with claimed(task.folder / f"{task.of.subject.name}.json") as free:
            for record in _measured(task, _missing(task)) if free else ():
                write_json(record, task.path(record))
    return [known for record in task.records if (known := _known(task, record)) is not None]


def _missing(task: Task) -> list[FilterRecord]:
    return [record for record in task.records if _known(task, record) is None]


def _known(task: Task, wanted: FilterRecord) -> FilterRecord | None:
    return kept(task.path(wanted), wanted)


def _lost(task: Task, why: str) -> list[FilterRecord]:
    """The answer that was being made is lost; those after it stay to be made."""
    lost = [replace(record, status="failed", note=why) for record in _missing(task)[:1]]
    for record in lost:
        write_json(record, task.path(record))
    return lost


def _measured(task: Task, missing: Sequence[FilterRecord]) -> Iterator[FilterRecord]:
    """An answer of each, whatever goes wrong with another; without a training set, none."""
    if not missing:
        return
    try:
        training = training_set(truth_of(task.of.place), task.data)
    except OnnxrayError as error:
        yield from (replace(record, status="failed", note=one_line(error, 300)) for record in missing)
        return
    examples, poisoned = len(training.labels), int(training.poisoned.sum())
    for record in (replace(record, examples=examples, poisoned=poisoned) for record in missing):
        started = monotonic()
        try:
            yield _answered(task, record, training)
        except OnnxrayError as error:
            yield replace(record, status="failed", note=one_line(error, 300), seconds=monotonic() - started)
        except Exception as error:  # noqa: BLE001 - what breaks a filter is a result of the benchmark, not its end
            why = f"{type(error).__name__}: {one_line(error, 300)}"
            yield replace(record, status="failed", note=why, seconds=monotonic() - started)


def _answered(task: Task, record: FilterRecord, training: TrainingSet) -> FilterRecord:
    if record.who == OURS:
        found, note, seconds = _ours(task, record.samples, training)
        said = FilterResult.of(found, training.poisoned, seconds)
    else:
        asked: DataFilter = filters()[record.who]()
        said, note = asked.run(open_model(task.of.model), training, SEED), ""
    return replace(record, found=said.found, right=said.right, seconds=said.seconds, note=note)


def _options(samples: int) -> ScanOptions:
    """Without clean pictures the input's domain is found with as many of the training set."""
    return ScanOptions(detectors=(METHOD,), seed=SEED, samples=samples or max(SAMPLES))


def _ours(task: Task, samples: int, training: TrainingSet) -> tuple[NDArray[np.bool_], str, float]:
    """The examples that our scan with ``--training-data`` calls poisoned, its verdict, its method's seconds.

    Raises:
        OnnxrayError: nothing was compared.
    """
    with saved(training.inputs, training.labels) as path:
        if samples:
            with pictures(choose(task.of, samples, task.data)) as clean:
                report = scan(task.of.model, clean, _options(samples), training_data=path)
        else:
            report = scan(task.of.model, None, _options(samples), training_data=path)
    (said,) = report.evidence or (None,)
    if said is None or said.details.get("complete") is False:
        why = [(f.check, f.why) for f in report.failures] + [(s.check, s.why) for s in report.skipped]
        why += [(METHOD, f"too few samples: {said.details.get('too_few_samples')}")] if said else []
        raise SamplesError(f"{METHOD} told nothing: {'; '.join(f'{check}: {text}' for check, text in why)}")
    found = np.zeros(len(training.labels), dtype=bool)
    for poisoned in said.poisoned:
        found[poisoned.positions] = True
    return found, report.verdict.label.value, said.seconds
