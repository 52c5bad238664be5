"""Runs that are killed, and several at once: every model is accounted for, and none that was done is done again."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from batch_fakes import catalog, scan, table
from onnxray.scanner.store import Store

DRIVER = Path(__file__).parent / "batch_driver.py"
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="signals and /proc as on Linux")


def driver(folder: Path, work: str, models: int) -> subprocess.Popen[bytes]:
    paths = {"PYTHONPATH": ":".join([str(DRIVER.parent), *(p for p in sys.path if p)]), "OMP_NUM_THREADS": "1"}
    arguments = [str(folder / "s.db"), str(folder / "diary"), work, str(models)]
    return subprocess.Popen([sys.executable, DRIVER, *arguments], env=paths, cwd=folder)


def diary(folder: Path) -> list[str]:
    path = folder / "diary"
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def wait_for(happened: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


def ended(folder: Path) -> int:
    if not (folder / "s.db").exists():
        return 0
    with Store.open(folder / "s.db") as store:
        return sum(answer.label in ("clean", "backdoored") for answer in store.answers(files=False))


@pytest.mark.parametrize("seed", [0, 1])
def test_killed_at_any_moment_and_run_again(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    finished = dict[tuple[str, ...], str]()
    for _ in range(2):  # fewer than a job may lose
        before = len(diary(tmp_path))
        process = driver(tmp_path, "quick", 30)
        wait_for(lambda b=before: len(diary(tmp_path)) > b)  # type: ignore[misc]
        time.sleep(draw.uniform(0, 0.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
        with closing(Store.open(tmp_path / "s.db")) as store:
            now = {a.names: a.ended + a.label for a in store.answers() if a.label in ("clean", "backdoored")}
        assert finished.items() <= now.items()  # nothing that was done is done again, or lost
        finished = now
    tally = scan(tmp_path / "s.db", catalog(30))
    assert (tally.total, tally.done, tally.failed, tally.reused) == (30, 30, 0, len(finished))
    assert {names: label for names, (label, _) in table(tmp_path / "s.db").items()}.keys() == {
        (f"models/m{n:03}.onnx",) for n in range(30)
    }


def test_two_drivers_share_the_work(tmp_path: Path) -> None:
    pair = [driver(tmp_path, "quick", 40) for _ in range(2)]
    assert [process.wait(timeout=120) for process in pair] == [0, 0]
    told = table(tmp_path / "s.db")
    assert len(told) == 40
    assert {tries for _, tries in told.values()} == {1}
    with Store.open(tmp_path / "s.db") as store:
        assert {answer.worker for answer in store.answers()} == {"host:1"}


def test_the_other_takes_over_from_one_that_is_killed(tmp_path: Path) -> None:
    first, second = (driver(tmp_path, "quick", 60) for _ in range(2))
    wait_for(lambda: ended(tmp_path) > 5)
    first.kill()
    first.wait()
    assert second.wait(timeout=120) == 0
    told = table(tmp_path / "s.db")
    assert len(told) == 60
    assert sum(tries > 1 for _, tries in told.values()) <= 2  # what the dead one had in hand
    assert {label for label, _ in told.values()} == {"clean", "backdoored"}


def test_the_scans_of_a_killed_driver_end_too(tmp_path: Path) -> None:
    process = driver(tmp_path, "confined", 2)
    wait_for(lambda: diary(tmp_path).count("asleep") >= 2)
    children = descendants(process.pid)
    assert len(children) == 2
    process.kill()
    process.wait()
    wait_for(lambda: not any(alive(child) for child in children), 10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_driver_that_is_told_to_end_gives_back_what_it_holds(tmp_path: Path, number: signal.Signals) -> None:
    process = driver(tmp_path, "quick", 200)
    wait_for(lambda: ended(tmp_path) > 2)
    process.send_signal(number)
    assert process.wait(timeout=30) != 0
    assert "finished" not in diary(tmp_path)
    with Store.open(tmp_path / "s.db") as store:
        claims = store.claims(())
        assert not store._database.read("SELECT key FROM jobs WHERE state = 'running' OR losses > 0")
        claims.release()
        assert not store._database.read("SELECT id FROM owners")


def descendants(process: int) -> list[int]:
    """The processes that a process has started, by whichever of its threads."""
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text(encoding="ascii").split()]


def alive(process: int) -> bool:
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
