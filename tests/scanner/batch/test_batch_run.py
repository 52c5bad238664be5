"""A batch: each model once, failures that stop nobody, and what came to nothing tried again."""

import os
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from batch_fakes import Notes, OneByOne, catalog, done, entry, report, scan, table
from onnxray.scanner.answers import State
from onnxray.scanner.catalog import Catalog, Unscanned
from onnxray.scanner.jobs import Job, Outcome
from onnxray.scanner.store import Store
from onnxray.scanner.store.owner import SILENT, WATCHED, Owner, Pulse, this_owner

GONE = Unscanned("gone.onnx", "missing", "It is not there.")


def test_identical_models_are_scanned_once(tmp_path: Path) -> None:
    executor, watcher = OneByOne(), Notes()
    tally = scan(tmp_path / "s.db", Catalog((entry("a", 1), entry("b", 1), entry("c", 2)), (GONE,)), executor, watcher)
    assert sorted(executor.begun) == ["a", "c"]
    assert (tally.total, tally.done, tally.unscanned, tally.labels) == (3, 2, 1, {"clean": 2})
    assert table(tmp_path / "s.db") == {
        ("a", "b"): ("clean", 1), ("c",): ("clean", 1), ("gone.onnx",): ("not scanned", 0)
    }  # fmt: skip


def test_a_watcher_hears_everything_in_order(tmp_path: Path) -> None:
    watcher = Notes()
    scan(tmp_path / "s.db", catalog(2), watcher=watcher)
    of_one = [("began", "models/m001.onnx"), ("moved", "models/m001.onnx"), ("ended", "models/m001.onnx")]
    assert watcher.lines[:4] == [("planned", ""), *of_one]  # the largest first
    assert [(t.done, t.waiting, t.reused) for t in watcher.tallies] == [(0, 2, 0), (1, 1, 0), (2, 0, 0)]


def test_a_second_run_does_only_what_is_new(tmp_path: Path) -> None:
    scan(tmp_path / "s.db", catalog(3))
    executor, watcher = OneByOne(), Notes()
    tally = scan(tmp_path / "s.db", catalog(5), executor, watcher)
    assert len(executor.begun) == 2
    assert (tally.done, tally.reused) == (5, 3)
    assert watcher.tallies[0].reused == 3


def test_failures_stop_nobody_and_last_until_retry(tmp_path: Path) -> None:
    def work(job: Job) -> Outcome:
        return Outcome(error="bad file") if "m001" in job.name else done(job)

    first = scan(tmp_path / "s.db", catalog(3), OneByOne(work))
    assert (first.done, first.failed, first.waiting) == (2, 1, 0)
    executor = OneByOne()
    assert scan(tmp_path / "s.db", catalog(3), executor).failed == 1
    assert executor.begun == []
    tally = scan(tmp_path / "s.db", catalog(3), executor, retry=True)
    assert executor.begun == ["models/m001.onnx"]
    assert (tally.done, tally.failed, tally.reused) == (3, 0, 2)


def test_retry_scans_again_what_died_in_the_sandbox(tmp_path: Path) -> None:
    def died(job: Job) -> Outcome:
        return Outcome(report=report(job.name, "inconclusive", ("sandbox-memory",)), files={"old.png": b"old"})

    scan(tmp_path / "s.db", catalog(1), OneByOne(died))
    executor = OneByOne()
    assert scan(tmp_path / "s.db", catalog(1), executor, retry=True).labels == {"clean": 1}
    with Store.open(tmp_path / "s.db") as store:
        (answer,) = store.answers()
    assert "old.png" not in answer.files
    assert scan(tmp_path / "s.db", catalog(1), executor, retry=True).reused == 1


def test_a_worker_that_is_killed_is_tried_again_last(tmp_path: Path) -> None:
    tries: Counter[str] = Counter()

    def work(job: Job) -> Outcome:
        tries[job.name] += 1
        assert job.losses == tries[job.name] - 1
        lost = "m002" in job.name and tries[job.name] < 3
        return Outcome(error="the system killed it", lasting=False) if lost else done(job)

    executor = OneByOne(work)
    tally = scan(tmp_path / "s.db", catalog(3), executor)
    assert tally.done == 3
    assert executor.begun == [f"models/m{n:03}.onnx" for n in (2, 1, 0, 2, 2)]


@pytest.mark.parametrize(("kept", "state"), [("", State.FAILED), ("inconclusive", State.DONE)])
def test_a_worker_that_is_always_killed_is_given_up(tmp_path: Path, kept: str, state: State) -> None:
    lost = Outcome(error="the system killed it", lasting=False, report=kept and report(label=kept))
    executor = OneByOne(lambda job: lost if "m000" in job.name else done(job))
    tally = scan(tmp_path / "s.db", catalog(2), executor)
    assert executor.begun.count("models/m000.onnx") == 3
    assert tally.waiting == 0
    with Store.open(tmp_path / "s.db") as store:
        (answer,) = store.answers(pattern="m000")
    assert (answer.state, answer.tries) == (state, 3)
    assert answer.why == ("" if kept else "the system killed it")


def test_what_kills_the_whole_run_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            scan(path, catalog(2), OneByOne(lambda job: done(job) if "m001" in job.name else os._exit(9)))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    tally = scan(path, catalog(2), OneByOne(lambda job: pytest.fail("tried again")))
    assert (tally.done, tally.failed) == (1, 1)
    with Store.open(path) as store:
        (answer,) = store.answers(pattern="m000")
    assert "the run ended 3 times while this model was scanned" in answer.why
    assert scan(path, catalog(2), retry=True).done == 2


def test_an_interrupt_closes_the_executor_and_gives_back(tmp_path: Path) -> None:
    def work(job: Job) -> Outcome:
        raise KeyboardInterrupt

    executor = OneByOne(work)
    with pytest.raises(KeyboardInterrupt):
        scan(tmp_path / "s.db", catalog(2), executor)
    assert executor.closed
    with Store.open(tmp_path / "s.db") as store:
        assert store._database.read("SELECT state, losses FROM jobs") == [("waiting", 0)] * 2
    assert scan(tmp_path / "s.db", catalog(2)).done == 2


def test_a_run_waits_for_what_another_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxray.scanner.batch.running._PAUSE", 0.05)
    path, inside, watcher = tmp_path / "s.db", threading.Event(), Notes()

    def slow(job: Job) -> Outcome:
        inside.set()
        time.sleep(0.5)
        outcome: Outcome = done(job)
        return outcome

    other = threading.Thread(target=scan, args=(path, catalog(1), OneByOne(slow)))
    other.start()
    inside.wait(30)
    executor = OneByOne()
    tally = scan(path, catalog(1), executor, watcher)
    other.join()
    assert (tally.done, tally.reused, executor.begun) == (1, 0, [])
    assert [line for kind, line in watcher.lines if kind == "told"] == [
        f"waiting for {os.uname().nodename}:{os.getpid()}, with what it scans for the same store"
    ]


def test_who_is_dead_on_this_machine() -> None:
    here = this_owner()
    assert not Pulse().dead(replace(here, beat=0.0))  # suspended perhaps, but there
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
    child = replace(here, process=pid)
    assert Pulse().dead(child)  # the number lives, as another process
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    assert Pulse().dead(replace(here, process=pid))


def test_who_is_dead_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("time.time", lambda: 1e9 + now[0])
    other, pulse = Owner("id", "another boot", 1, "5", "node7", 1e9 + 1000), Pulse()

    def after(seconds: float, beat: float) -> bool:
        now[0] += seconds
        return pulse.dead(replace(other, beat=beat))

    assert not after(0, 1e9 + 1000)
    assert not after(SILENT / 2, 1e9 + 1000)
    assert after(SILENT, 1e9 + 1000)
    assert not after(0, 1e9 + 1010)  # its clock is late, but it moves
    assert not after(WATCHED / 2, 1e9 + 1010)
    assert not after(WATCHED, 1e9 + 1020)


def test_runs_of_two_catalogs_do_not_mix(tmp_path: Path) -> None:
    scan(tmp_path / "s.db", Catalog((entry("a", 1),)))
    executor = OneByOne()
    tally = scan(tmp_path / "s.db", Catalog((entry("b", 2),)), executor)
    assert (tally.total, executor.begun) == (1, ["b"])
    assert len(table(tmp_path / "s.db")) == 2
