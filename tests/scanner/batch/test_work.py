"""One job: whatever the model or the machine does, an outcome comes back, and says whether another try is worth it."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from onnxray.models.bundled_files import bundled
from onnxray.scanner import confined_scan, pipeline, work
from onnxray.scanner.confined_scan import ConfinedScan
from onnxray.scanner.contract import decode
from onnxray.scanner.errors import SamplesError
from onnxray.scanner.findings import Report
from onnxray.scanner.jobs import Job
from onnxray.scanner.sandbox import Died, Fault, run_confined
from onnxray.scanner.work import Share, do

CONTENT = bundled("clean.onnx").read_bytes()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def job(tmp_path: Path) -> Job:
    path = tmp_path / "m.onnx"
    path.write_bytes(CONTENT)
    return Job(key="k" * 64, name="zoo/m.onnx", path=path, sha256=SHA256, size_bytes=len(CONTENT))


def scanning(monkeypatch: pytest.MonkeyPatch, answer: Callable[..., object]) -> None:
    monkeypatch.setattr(confined_scan, "watch_scan", answer)


def ended(report: Report, died: Died | None = None, sha256: str = SHA256) -> ConfinedScan:
    model = replace(report.model, path="/somewhere/scratch/m.onnx", sha256=sha256)
    return ConfinedScan(replace(report, model=model), died, 123)


def test_a_report_under_the_name_of_the_catalog(job: Job, backdoored: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def scan(arguments: dict[str, object], limits: object, progress: object, **rest: object) -> ConfinedScan:
        asked.update(arguments, limits=limits, **rest)
        return ended(backdoored)

    scanning(monkeypatch, scan)
    outcome = do(replace(job, data=Path("d.npz"), max_memory=5 << 30), share=Share(threads=3, gpus="1"))
    report = decode(outcome.report)
    assert (report.model.path, report.model.sha256) == ("zoo/m.onnx", SHA256)
    assert set(outcome.files) == {n for e in report.evidence for n in e.artifacts.values()} != set()
    assert (outcome.error, outcome.lasting, outcome.peak_memory) == ("", True, 123)
    assert outcome.worker.count(":") == 1
    assert (asked["path"], asked["data"], asked["limits"].memory) == (job.path, Path("d.npz"), 5 << 30)
    assert "training_data" not in asked
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "3")
    assert asked["environment"] == {**threads, "CUDA_VISIBLE_DEVICES": "1"}


def test_what_the_memory_killer_ended_is_worth_another_try(
    job: Job, inconclusive: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanning(monkeypatch, lambda *a, **k: ended(inconclusive, Died("killed", "the system killed it"), "0" * 64))
    outcome = do(job)
    assert not outcome.lasting
    assert "the system killed it" in outcome.error
    assert decode(outcome.report).model.sha256 == SHA256  # kept if no other try is left
    assert outcome.peak_memory == 123


@pytest.mark.parametrize("code", ["memory", "signal", "wall-clock", "garbled"])
def test_what_the_model_did_to_itself_is_a_report(
    job: Job, inconclusive: Report, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    scanning(monkeypatch, lambda *a, **k: ended(inconclusive, Died(code, "over the limit"), "0" * 64))
    outcome = do(job)
    assert (outcome.lasting, outcome.error) == (True, "")
    assert decode(outcome.report).model.bytes == len(CONTENT)


def test_a_stopped_scan_is_no_report(job: Job, inconclusive: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    scanning(monkeypatch, lambda *a, **k: ended(inconclusive, Died("stopped", "it was told to stop")))
    outcome = do(job)
    assert (outcome.report, outcome.lasting) == ("", False)


@pytest.mark.parametrize(
    ("error", "lasting", "said"),
    [
        (SamplesError("d.npz: no such file\nat all"), True, "d.npz: no such file at all"),
        (Fault("KeyError: 'x'"), True, "a mistake of onnxray itself, please report it: KeyError: 'x'"),
        (ZeroDivisionError("by zero"), True, "please report it: ZeroDivisionError: by zero"),
        (Fault("OSError: [Errno 28] No space left on device"), False, "could not write its temporary files"),
        (OSError(12, "Cannot allocate memory"), False, "this machine could not run the scan"),
        (MemoryError(), False, "memory ran out"),
    ],
)
def test_errors_are_one_line(
    job: Job, monkeypatch: pytest.MonkeyPatch, error: Exception, lasting: bool, said: str
) -> None:
    def scan(*arguments: object, **more: object) -> ConfinedScan:
        raise error

    scanning(monkeypatch, scan)
    outcome = do(job)
    assert said in outcome.error
    assert "\n" not in outcome.error
    assert (outcome.lasting, outcome.report) == (lasting, "")


def test_an_error_does_not_tell_where_the_file_lay(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def scan(*arguments: object, **more: object) -> ConfinedScan:
        raise SamplesError(f"{job.path}: truncated, see {job.path}")

    scanning(monkeypatch, scan)
    assert do(job).error == "truncated, see zoo/m.onnx"


def test_a_file_that_changed_since(job: Job, backdoored: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    scanning(monkeypatch, lambda *a, **k: ended(backdoored, sha256="1" * 64))
    assert "changed since the catalog was made" in do(job).error
    job.path.write_bytes(bundled("trojaned.onnx").read_bytes())
    assert "zoo/m.onnx: changed since the catalog was made" in do(job).error


def test_without_a_sandbox(job: Job, backdoored: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    told = list[str]()

    def scan(path: Path, data: object, options: object, progress: Callable[[str, float], None]) -> Report:
        progress("twin", 0.3)
        return ended(backdoored).report

    monkeypatch.setattr(pipeline, "scan", scan)
    open_job = replace(job, sandbox=False)
    assert do(open_job, lambda text, fraction: told.append(text)).report
    assert told == ["twin"]
    outcome = do(open_job, stop=lambda: True)
    assert (outcome.report, outcome.lasting, outcome.error) == ("", False, "it was told to stop")
    assert not work._in_process.locked()


def test_a_confined_process_is_stopped_and_measured() -> None:
    asleep = list[str]()
    call = "batch_fakes:slumber"
    stopped = run_confined(
        call, {"seconds": 100.0}, float,
        progress=lambda text, fraction: asleep.append(text), stop=lambda: bool(asleep), environment={"SOME": "1"},
    )  # fmt: skip
    assert isinstance(stopped, Died)
    assert (stopped.code, stopped.lasting) == ("stopped", False)
    assert stopped.peak_memory > 1 << 20


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="signals as on Unix")
def test_a_process_that_the_system_kills_is_told_from_one_that_crashes() -> None:
    died = run_confined("batch_fakes:killed", {}, float)
    assert isinstance(died, Died)
    assert (died.code, died.lasting, died.stage) == ("killed", False, "doomed")
    assert "the system killed it, as it does where memory runs out" in died.why
