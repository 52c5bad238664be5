"""Scans side by side on this machine."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Lock
from typing import Any

import pytest
from batch_fakes import done
from onnxray.models.bundled_files import bundled
from onnxray.scanner.batch import BatchOptions, run_batch
from onnxray.scanner.catalog import inventory
from onnxray.scanner.config import ScanOptions
from onnxray.scanner.errors import OptionError
from onnxray.scanner.executors.local import Local
from onnxray.scanner.jobs import Job, Outcome
from onnxray.scanner.store import Store
from onnxray.scanner.work import Share

ROOMY: dict[str, Any] = {"memory": 1 << 40, "gpus": "none"}
QUICK = ScanOptions(detectors=("last-layer",), samples=40)
Do = Callable[..., Outcome]


def jobs(count: int) -> list[Job]:
    return [
        Job(key=str(n), name=f"m{n}", path=Path("/nowhere"), sha256=f"{n:064x}", size_bytes=1) for n in range(count)
    ]


class Busy:
    """A ``do`` that counts who is in it."""

    def __init__(self, seconds: float = 0.05) -> None:
        self.seconds, self.inside, self.most, self.shares = seconds, 0, 0, set[Share]()
        self._lock = Lock()

    def __call__(self, job: Job, progress: Callable[[str, float], None], *, share: Share, stop: object) -> Outcome:
        """See ``work.do``."""
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.shares.add(share)
        progress("busy", 0.5)
        time.sleep(self.seconds)
        with self._lock:
            self.inside -= 1
        outcome: Outcome = done(job)
        return outcome


def using(monkeypatch: pytest.MonkeyPatch, do: Do) -> None:
    monkeypatch.setattr("onnxray.scanner.executors.local.do", do)


def test_as_many_at_once_as_there_are_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    busy, told = Busy(), list[str]()
    using(monkeypatch, busy)
    results = list(Local(workers=3, **ROOMY).run(jobs(9), lambda job, text, fraction: told.append(job.name)))
    assert sorted(job.name for job, _ in results) == sorted(job.name for job in jobs(9)) == sorted(told)
    assert (busy.most, busy.inside) == (3, 0)


def test_jobs_are_drawn_only_when_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = list[str]()

    def source() -> Iterator[Job]:
        for job in jobs(6):
            drawn.append(job.name)
            yield job

    using(monkeypatch, Busy(0))
    results = Local(workers=2, **ROOMY).run(source())
    next(results)
    assert len(drawn) == 2
    assert len(list(results)) == 5


def test_few_jobs_have_all_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxray.scanner.executors._machine._cores", lambda: 16)
    busy = Busy()
    using(monkeypatch, busy)
    list(Local(**ROOMY).run(jobs(2)))
    assert busy.shares == {Share(threads=8, gpus="")}
    busy.shares.clear()
    list(Local(**ROOMY).run(jobs(20)))
    assert busy.shares == {Share(threads=1, gpus="")}


def test_closing_ends_what_is_running(monkeypatch: pytest.MonkeyPatch) -> None:
    ended, begun = list[str](), Event()

    def do(job: Job, progress: object, *, share: Share, stop: Callable[[], bool]) -> Outcome:
        if job.name == "m0":
            begun.wait(10)
            outcome: Outcome = done(job)
            return outcome
        begun.set()
        while not stop():
            time.sleep(0.01)
        ended.append(job.name)
        return Outcome(error="stopped", lasting=False)

    using(monkeypatch, do)
    results = Local(workers=2, **ROOMY).run(jobs(4))
    assert next(results)[0].name == "m0"
    results.close()  # type: ignore[attr-defined]
    assert ended == ["m1"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_is_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    def do(job: Job, *rest: object, **more: object) -> Outcome:
        raise SystemExit

    using(monkeypatch, do)
    ((_, outcome),) = Local(**ROOMY).run(jobs(1))
    assert (outcome.lasting, outcome.error) == (False, "its thread ended before the scan did")


def test_impossible_options() -> None:
    with pytest.raises(OptionError, match="expected workers and memory of 0 or more"):
        list(Local(workers=-1).run([]))


def test_two_models_through_the_whole_chain(tmp_path: Path) -> None:
    """Real files, real processes, a real store; and one file that is no model."""
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    models = [bundled("clean.onnx"), bundled("trojaned.onnx"), broken]
    found = inventory([str(path) for path in models])
    batch = BatchOptions(options=QUICK, data=bundled("samples.npz"))
    with Store.open(tmp_path / "s.db") as store:
        tally = run_batch(found, store, Local(workers=2), batch)
        answers = {Path(answer.name).name: answer for answer in store.answers()}
    assert (tally.total, tally.done) == (3, 2)
    assert answers["broken.onnx"].label in ("error", "not scanned")
    for path in models[:2]:
        answer = answers[path.name]
        assert answer.report is not None
        assert answer.report.model.sha256 == answer.sha256
        assert answer.report.model.path == answer.name
        assert answer.label in ("backdoored", "suspicious", "clean", "inconclusive")
        assert set(answer.files) == {name for e in answer.report.evidence for name in e.artifacts.values()}
        assert answer.seconds > 0
        assert "Landlock" in str(answer.report.options["sandbox"]) or not sys.platform.startswith("linux")
