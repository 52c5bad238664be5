"""The store: what goes in comes out, and whatever is wrong with the file is one clear line."""

import os
import shutil
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from batch_fakes import FILES, OneByOne, catalog, done, entry, report, scan, table
from hypothesis import given, settings
from hypothesis import strategies as st
from onnxray.scanner.answers import State
from onnxray.scanner.batch import BatchOptions, plan, run_batch
from onnxray.scanner.catalog import Catalog, Unscanned
from onnxray.scanner.config import ScanOptions
from onnxray.scanner.errors import OptionError
from onnxray.scanner.jobs import Job, Outcome
from onnxray.scanner.store import Store, StoreError, database, reading
from onnxray.scanner.store.claims import LOSSES
from onnxray.scanner.store.database import _network

ENVIRONMENT = {"PYTHONPATH": ":".join([str(Path(__file__).parent), *(p for p in sys.path if p)])}
LABELS = ("clean", "suspicious", "backdoored", "inconclusive")


def by_number(job: Job) -> Outcome:
    number = int(job.sha256, 16)
    if number == 4:
        return Outcome(error="m4: not an ONNX file; export it again")
    outcome: Outcome = done(job, LABELS[number % 4])
    return outcome


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """Models 0 to 5, the fourth without a report, one that was not downloaded, and a second name for the first."""
    twin = entry("copies/twin.onnx", 0, group="copies", origin={"revision": "abc"})
    listed = Catalog((twin, *catalog(6).entries), (Unscanned("lfs.onnx", "not-downloaded", "Fetch it with git lfs."),))
    path = tmp_path / "filled.db"
    scan(path, listed, OneByOne(by_number))
    return path


def names(path: Path, **query: object) -> list[str]:
    with Store.open(path, create=False) as store:
        return [answer.name for answer in store.answers(**query)]  # type: ignore[arg-type]


def test_answers_have_all_that_is_known(filled: Path) -> None:
    with Store.open(filled, create=False) as store:
        answers = {answer.name: answer for answer in store.answers()}
    first = answers["copies/twin.onnx"]
    assert first.names == ("copies/twin.onnx", "models/m000.onnx")
    assert (first.state, first.label, first.group) == (State.DONE, "clean", "copies")
    assert (first.sha256, first.size_bytes, first.tries, first.seconds) == ("0" * 64, 1000, 1, 2.0)
    assert (first.worker, first.origin, first.repair) == ("host:1", {"revision": "abc"}, None)
    assert first.files == FILES
    assert first.report is not None
    assert first.ended.endswith("+00:00")
    failed, unscanned = answers["models/m004.onnx"], answers["lfs.onnx"]
    assert (failed.state, failed.code, failed.label) == (State.FAILED, "error", "error")
    assert failed.why == "m4: not an ONNX file; export it again"
    assert (unscanned.state, unscanned.code, unscanned.why) == (
        State.UNSCANNED, "not-downloaded", "Fetch it with git lfs."
    )  # fmt: skip
    assert len(answers) == 7


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"labels": ["suspicious"]}, ["models/m001.onnx", "models/m005.onnx"]),
        ({"labels": ["error", "not scanned"]}, ["lfs.onnx", "models/m004.onnx"]),
        ({"pattern": "m003"}, ["models/m003.onnx"]),
        ({"pattern": "m003*"}, []),
        ({"pattern": "models/m00[0-1]*"}, ["copies/twin.onnx", "models/m001.onnx"]),
        ({"labels": ["clean"], "pattern": "models/"}, ["copies/twin.onnx"]),
        ({"listing": "another"}, []),
    ],
)
def test_answers_to_a_query(filled: Path, query: dict[str, object], expected: list[str]) -> None:
    assert names(filled, **query) == expected


def test_answers_in_order(filled: Path) -> None:
    worst = names(filled, order="label")
    assert worst[0] == "models/m002.onnx"
    assert worst[-1] == "copies/twin.onnx"
    assert names(filled, order="size")[0] == "models/m005.onnx"
    assert names(filled, order="seconds")[-1] in ("lfs.onnx", "models/m004.onnx")
    with pytest.raises(OptionError, match=r"expected an order among name, label.* got 'colour'"):
        names(filled, order="colour")


def test_the_last_listing_of_a_name_counts(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    scan(path, catalog(2), OneByOne(lambda job: done(job, "clean")))
    scan(path, catalog(1), OneByOne(lambda job: done(job, "backdoored")), options=ScanOptions(seed=1))
    with Store.open(path) as store:
        assert [answer.label for answer in store.answers()] == ["backdoored", "clean"]
    scan(path, catalog(2))  # everything is known, but it is what was listed last
    with Store.open(path) as store:
        assert [answer.label for answer in store.answers()] == ["clean", "clean"]
        assert not store.listing


def test_a_listing_can_be_asked_for(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s.db") as store:
        store.record(catalog(3), {e.name: "a" * 64 for e in catalog(3).entries}, ())
        first = store.listing
        store.record(Catalog((entry("new.onnx", 9),)), {"new.onnx": "b" * 64}, ())
        assert [a.names for a in store.answers(listing=store.listing)] == [("new.onnx",)]
        assert [len(a.names) for a in store.answers(listing=first)] == [3]
        assert {a.label for a in store.answers()} == {"waiting"}


def test_repairs_are_kept_by_the_bytes(filled: Path) -> None:
    with Store.open(filled) as store:
        store.add_repair("0" * 64, '{"tool": 1}')
        store.add_repair("0" * 64, '{"tool": 2}')
        assert [a.repair for a in store.answers(pattern="twin")] == [{"tool": 2}]
        with pytest.raises(ValueError, match="expected a JSON object"):
            store.add_repair("0" * 64, "[]")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\0", "cut off"),
        (b"none", "incorrect header"),
        (zlib.compress(b"{}"), "missing required field"),
        (zlib.compress(b" " * 99 + b"{}")[:-9], "cut off"),
        (zlib.compress(b" " * 99_999), "larger than"),
    ],
)
def test_a_report_that_cannot_be_read_is_no_verdict(
    filled: Path, content: bytes, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_LARGEST", 50_000)
    with sqlite3.connect(filled) as connection:
        connection.execute(
            "UPDATE reports SET content = ? WHERE key IN (SELECT key FROM jobs WHERE name LIKE '%3.onnx')", (content,)
        )
    with Store.open(filled, create=False) as store:
        (answer,) = store.answers(pattern="m003")
    assert (answer.label, answer.state) == ("error", State.FAILED)
    assert "the stored report cannot be read" in answer.why
    assert why in answer.why


def damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for start in range(4096, len(content), 4096):
        content[start : start + 100] = b"\xff" * 100
    path.write_bytes(content)


def foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")


def newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (damaged, "the store is damaged"),
        (foreign, "another program's database"),
        (newer, "written by a newer onnxray .form 99"),
        (lambda path: path.write_bytes(b"PK\x03\x04 anything but a database" * 300), "no SQLite database"),
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "damaged|another program's"),
    ],
)
def test_a_file_that_is_no_good_store(filled: Path, change: Callable[[Path], object], expected: str) -> None:
    change(filled)
    before = filled.read_bytes()
    with pytest.raises(StoreError, match=expected) as told:
        table(filled)
    assert str(filled) in str(told.value)
    assert "\n" not in str(told.value)
    with pytest.raises(StoreError, match=expected):
        scan(filled, catalog(3))
    assert filled.read_bytes() == before


def test_no_store_where_one_should_be(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such store"):
        Store.open(tmp_path / "none.db", create=False)
    (tmp_path / "empty.db").touch()
    with pytest.raises(StoreError, match="an empty file"):
        Store.open(tmp_path / "empty.db", create=False)
    with pytest.raises(StoreError, match="cannot be opened"):
        Store.open(tmp_path / "no" / "folder" / "s.db")
    with pytest.raises(StoreError, match="cannot be opened"):
        Store.open(tmp_path)


def test_names_with_special_characters_are_only_names(tmp_path: Path) -> None:
    path = tmp_path / "50% of it?#&.db"
    scan(path, catalog(1))
    assert path.is_file()
    assert len(table(path)) == 1


def test_locked_for_too_long(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.1)
    other = sqlite3.connect(filled, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match=r"another program has held the store for more than 0\.1 seconds"):
        scan(filled, catalog(3))
    other.execute("ROLLBACK")
    other.close()
    scan(filled, catalog(3))


FULL = """
import resource, sys
from pathlib import Path
from batch_fakes import *
from onnxray.scanner.store import StoreError
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
big = lambda job: Outcome(report=report(job.name), files={"noise": (job.sha256 * 800).encode()})
try:
    scan(Path(sys.argv[1]), catalog(20), OneByOne(big))
except StoreError as error:
    sys.exit(f"STOPPED {error}")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits on the size of files as on Linux")
def test_a_store_that_cannot_grow(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    ended = subprocess.run([sys.executable, "-c", FULL, path], env=ENVIRONMENT, capture_output=True, text=True)
    assert "STOPPED" in ended.stderr
    assert "could not be read or written" in ended.stderr
    assert ended.stderr.count("\n") == 1
    first = table(path)
    kept = sum(label == "clean" for label, _ in first.values())
    assert len(first) == 20
    assert 0 < kept < 20
    tally = scan(path, catalog(20))  # there is room again
    assert (tally.done, tally.reused) == (20, kept)
    with Store.open(path) as store:
        assert not store._database.read("SELECT key FROM jobs WHERE losses > 0")


def test_a_full_disk_stops_the_batch_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    executor = OneByOne(lambda job: Outcome(report=report(), files={"noise": os.urandom(20_000)}))
    with Store.open(path) as store:
        store._database._connection.execute("PRAGMA max_page_count = 60")
        with pytest.raises(StoreError, match="the disk is full; free some space"):
            run_batch(catalog(20), store, executor, BatchOptions())
    assert executor.closed
    kept = sum(label == "clean" for label, _ in table(path).values())
    assert 0 < kept < 20
    assert scan(path, catalog(20)).reused == kept


AS_NOBODY = """
import os, sys
from pathlib import Path
from batch_fakes import *
from onnxray.scanner.store import StoreError
os.chdir("/")
os.setuid(65534)
if not os.access(sys.argv[1], os.R_OK): sys.exit("UNREADABLE")
print(len(table(Path(sys.argv[1]))))
try:
    scan(Path(sys.argv[1]), catalog(3))
except StoreError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be somebody else")
def test_a_store_of_somebody_else_can_be_read(filled: Path) -> None:
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(shutil.copy(filled, folder))
        ended = subprocess.run([sys.executable, "-c", AS_NOBODY, path], env=ENVIRONMENT, capture_output=True, text=True)
    if "UNREADABLE" in ended.stderr:
        pytest.skip("temporary folders are closed to others")
    assert ended.stdout.splitlines() == [
        "7", f"{path}: the store cannot be written; check the rights on the file and its folder"
    ]  # fmt: skip


def test_a_network_file_system_gets_another_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _network(tmp_path / "s.db") == ""
    monkeypatch.setattr(database, "_network", lambda path: "nfs4")
    with Store.open(tmp_path / "s.db") as store:
        assert "is on nfs4; it is kept with a delete journal" in store.notes[0]
    assert scan(tmp_path / "s.db", catalog(2)).done == 2


def test_one_file_is_left(filled: Path) -> None:
    assert [path.name for path in filled.parent.iterdir()] == ["filled.db"]


@settings(max_examples=25, deadline=None)
@given(moves=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["next", "end", "lose", "release", "die"]))))
def test_whatever_runs_do_no_job_is_had_by_two_or_lost(
    moves: list[tuple[int, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Three runs claim, end, lose and give back jobs in any order; in the end all jobs are done or given up."""
    path = tmp_path_factory.mktemp("claims") / "s.db"
    what = catalog(4)
    jobs = plan(what, BatchOptions()).jobs
    stores = [Store.open(path) for _ in range(3)]
    stores[0].record(what, {e.name: j.key for e, j in zip(what.entries, jobs, strict=True)}, jobs)
    runs = [store.claims(jobs) for store in stores]
    held: list[list[Job]] = [[], [], []]
    losses, ended = dict.fromkeys((job.key for job in jobs), 0), set[str]()
    for who, move in moves:
        run, own = runs[who], held[who]
        if move == "next" and (job := run.next()):
            assert job.key not in {j.key for some in held for j in some} | ended
            assert job.losses == losses[job.key]
            own.append(job)
        elif move == "end" and own:
            ended.add(own[0].key)
            run.end(own[0], done(own.pop(0)))
        elif move == "lose" and own:
            job = own.pop(0)
            losses[job.key] += 1
            run.end(job, Outcome(error="killed", lasting=False))
            ended |= {job.key} if losses[job.key] >= LOSSES else set()
        elif move in ("release", "die"):
            for job in own:
                losses[job.key] += move == "die"
                ended |= {job.key} if losses[job.key] >= LOSSES else set()
            if move == "release":
                run.release()
            else:
                other = runs[(who + 1) % 3]
                other._pulse = _Knows(run._owner.id)  # type: ignore[assignment]
                other.reclaim()
            own.clear()
            runs[who] = stores[who].claims(jobs)
    free = set(losses) - ended - {job.key for some in held for job in some}
    assert len(free) == sum(n for (state, _), n in runs[0].standing().items() if state == "waiting")
    for store in stores:
        store.close()


class _Knows:
    """A pulse that knows who is dead."""

    def __init__(self, dead: str) -> None:
        self._dead = dead

    def dead(self, owner: object) -> bool:
        return getattr(owner, "id", "") == self._dead
