"""Jobs on a real Ray cluster: two nodes on this machine, one of which is killed in the middle."""

import hashlib
import importlib.util
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from onnxray.models.bundled_files import bundled
from onnxray.scanner.config import ScanOptions
from onnxray.scanner.errors import ClusterError, OptionError
from onnxray.scanner.executors import _ray_flight
from onnxray.scanner.executors._ray_cluster import connected, library
from onnxray.scanner.executors.ray import Ray
from onnxray.scanner.jobs import Job, Outcome
from onnxray.scanner.work import do

HERE = Path(__file__).parent
NAMESPACE = HERE.parents[2] / "build" / "namespace"

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra ray is not installed")


@dataclass(frozen=True)
class Scene:
    """A cluster of a head, where this driver is, and a second node, each with two cores; the diary of its workers."""

    cluster: Any
    second: Any
    diary: Path

    def lines(self) -> list[tuple[str, str, str, int]]:
        """What was done, to which job, by which node and process."""
        text = self.diary.read_text(encoding="utf-8") if self.diary.exists() else ""
        return [(w, key, node, int(process)) for w, key, node, process in map(str.split, text.splitlines())]

    def done(self, key: str) -> Counter[str]:
        return Counter(what for what, job, *_ in self.lines() if job == key)

    def give(self, word: str) -> None:
        """Let the jobs go on that are held until this word."""
        self.diary.with_suffix(f".{word}").touch()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    diary = tmp_path_factory.mktemp("cluster") / "diary.txt"
    with pytest.MonkeyPatch.context() as patch:
        paths = [str(HERE), str(HERE.parent / "batch"), str(NAMESPACE), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        patch.setenv("RAY_FAKES_DIARY", str(diary))
        patch.setenv("RAY_AUTH_MODE", "disabled")  # of this cluster, which lives for these tests alone
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")  # else they starve beside whatever else this machine does
        patch.setattr(_ray_flight, "WORK", "ray_fakes:work")
        library()  # imported as a run does
        from ray.cluster_utils import Cluster

        try:
            cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
        except Exception as error:
            if "timed out during startup" in str(error):  # Ray gives a node half a minute
                pytest.skip(f"this machine is too busy for a Ray cluster: {error}")
            raise
        try:
            # Once, as worker processes take long to start; and while there is but the head to join.
            with connected(cluster.address):
                yield Scene(cluster, cluster.add_node(num_cpus=2), diary)
        finally:
            cluster.shutdown()


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., Job]:
    model = tmp_path / "models" / "model.onnx"
    model.parent.mkdir()
    model.write_bytes(b"weights")

    def made(key: str, name: str = "quick", **fields: Any) -> Job:
        return Job(key=key, name=name, path=model, sha256="0" * 64, size_bytes=7, **fields)

    return made


def by_key(run: Iterator[tuple[Job, Outcome]]) -> dict[str, Outcome]:
    pairs = [(job.key, outcome) for job, outcome in run]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def told(outcome: Outcome) -> dict[str, Any]:
    assert not outcome.error
    found: dict[str, Any] = json.loads(outcome.report)["options"]
    return found


@needs_ray
def test_every_job_is_done_once_with_its_share_of_the_node(scene: Scene, job: Callable[..., Job]) -> None:
    jobs = [job(f"share-{n}") for n in range(6)]
    moves: list[tuple[str, str, float]] = []

    def moved(one: Job, text: str, fraction: float) -> None:
        moves.append((one.key, text, fraction))
        if one.key == "share-held":
            scene.give("word")

    results = by_key(Ray(cpus=2.0, memory=10**9).run([*jobs, job("share-held", "hold word")], moved))
    assert set(results) == {*(j.key for j in jobs), "share-held"}
    assert all(scene.done(key) == {"began": 1, "ended": 1} for key in results)
    assert {(told(o)["threads"], told(o)["memory"]) for o in results.values()} == {(2, 10**9)}
    assert ("share-held", "half way", 0.5) in moves


@needs_ray
def test_jobs_are_drawn_only_when_there_is_room(scene: Scene, job: Callable[..., Job]) -> None:
    drawn: list[str] = []

    def source() -> Iterator[Job]:
        for n in range(8):
            drawn.append(f"draw-{n}")
            yield job(drawn[-1])

    ended = 0
    for _ in Ray(workers=3).run(source()):
        ended += 1
        assert len(drawn) <= ended + 2
    assert ended == 8


@needs_ray
def test_a_worker_that_dies_is_tried_again_and_then_told(
    scene: Scene, job: Callable[..., Job], capfd: pytest.CaptureFixture[str]
) -> None:
    results = by_key(Ray(retries=1).run([job("die", "die"), job("raise", "raise"), job("lives")]))
    assert scene.done("die") == {"began": 2}
    assert "lost 2 times" in results["die"].error
    assert not results["die"].lasting
    assert "ValueError: no such thing" in results["raise"].error
    assert results["lives"].report
    assert capfd.readouterr().out == ""


@needs_ray
def test_a_node_that_does_not_see_the_files_is_sent_them(
    scene: Scene, job: Callable[..., Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All nodes of one machine see its files; to these, the driver's are others of the same name.
    monkeypatch.setattr(_ray_flight, "marks", lambda job, contents: {"path": "another", "data": "another"})
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(b"pixels")
    found = told(by_key(Ray().run([job("sent", data=tmp_path / "pictures")]))["sent"])
    assert not Path(found["where"]).is_relative_to(tmp_path)
    monkeypatch.undo()
    plain = told(by_key(Ray().run([there := job("there", data=tmp_path / "pictures")]))["there"])
    assert plain["where"] == str(there.path)
    assert [plain["path"], plain["data"]] == [found["path"], found["data"]]
    assert set(plain["data"]) == {"a.png"}


@needs_ray
def test_a_node_with_another_version_is_named(
    scene: Scene, job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_ray_flight, "__version__", "99.0")
    with pytest.raises(ClusterError, match=r"has onnxray \d.*install onnxray 99.0 on every node"):
        list(Ray().run([job("version")]))


@needs_ray
def test_a_job_that_no_node_can_hold_is_not_waited_for_for_ever(scene: Scene, job: Callable[..., Job]) -> None:
    with pytest.raises(ClusterError, match="no node of the Ray cluster has had 1 CPU, 2 GPU for 1 seconds"):
        list(Ray(gpus=2.0, patience=1.0).run([job("large")]))


@needs_ray
@pytest.mark.slow
def test_a_model_is_scanned_as_on_this_machine(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ray_flight, "WORK", "onnxray.scanner.work:do")
    model = bundled("trojaned.onnx")
    options = ScanOptions(detectors=("last-layer",), samples=40)
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    one = Job(
        key="real", name="the bundled one", path=model, data=bundled("samples.npz"), options=options,
        sha256=digest, size_bytes=model.stat().st_size, max_memory=4 << 30,
    )  # fmt: skip
    there, here = by_key(Ray().run([one]))["real"], do(one)
    reports = [json.loads(outcome.report) for outcome in (there, here)]
    assert reports[0]["verdict"] == reports[1]["verdict"]
    assert reports[0]["model"] == reports[1]["model"]
    assert there.worker != here.worker


@needs_ray
def test_closing_ends_what_is_running(scene: Scene, job: Callable[..., Job]) -> None:
    run = Ray().run([job("first"), job("endless", "sleep 600")])
    next(iter(run))
    await_that(lambda: scene.done("endless")["began"] == 1)
    run.close()  # type: ignore[attr-defined]
    (process,) = [process for _, key, _, process in scene.lines() if key == "endless"]
    await_that(lambda: not alive(process))


@needs_ray
@pytest.mark.slow
def test_a_driver_that_is_killed_leaves_nothing_running_and_can_go_on(scene: Scene, tmp_path: Path) -> None:
    """The driver also looks after itself that the folder that it is in is no place for the workers' modules."""
    command = [sys.executable, str(HERE / "ray_driver.py"), scene.cluster.address, str(tmp_path)]
    ended = tmp_path / "ended.txt"
    first = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path)
    await_that(lambda: ended.exists() and len(ended.read_text(encoding="utf-8")) >= 2)
    first.kill()
    assert first.communicate()[0] == b""
    kept = stored(tmp_path)
    assert len(kept) < 8
    running = [process for _, key, _, process in scene.lines() if len(key) == 64 and key not in kept]
    await_that(lambda: not any(map(alive, running)))
    assert subprocess.run(command, stdout=subprocess.PIPE, cwd=tmp_path, check=True, timeout=200).stdout == b""
    assert len(stored(tmp_path)) == 8
    assert all(scene.done(key) == {"began": 1, "ended": 1} for key in kept)


def stored(folder: Path) -> set[str]:
    """The keys of the jobs that a driver's store has as done."""
    with closing(sqlite3.connect(folder / "store.sqlite")) as connection:
        return {key for (key,) in connection.execute("SELECT key FROM jobs WHERE state = 'done'")}


@needs_ray
def test_no_job_is_lost_with_a_node(scene: Scene, job: Callable[..., Job]) -> None:
    """The last test of the module, as it takes the second node away."""
    assert len({node["NodeID"] for node in library().nodes() if node["Alive"]}) == 2
    jobs = [job(f"node-{n}", "hold go") for n in range(10)]
    results = list(Ray().run(killing(scene, jobs)))
    assert sorted(j.key for j, _ in results) == sorted(j.key for j in jobs)
    assert all(outcome.report and not outcome.error for _, outcome in results)
    assert [key for key in (j.key for j in jobs) if scene.done(key)["began"] > 1]


def killing(scene: Scene, jobs: list[Job]) -> Iterator[Job]:
    """The jobs, all held; when the second node is at work on one of them, it is killed, and the others may go on."""
    for number, one in enumerate(jobs):
        if number == 5:
            await_that(lambda: bool(at_work(scene)))
            scene.cluster.remove_node(scene.second, allow_graceful=False)
            await_that(lambda: not any(map(alive, at_work(scene))))
            scene.give("go")
        yield one


def at_work(scene: Scene) -> list[int]:
    """The processes of the second node that have begun one of the jobs that are held."""
    node = scene.second.node_id
    return [process for _, key, where, process in scene.lines() if key.startswith("node-") and where == node]


def await_that(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.1)


def alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, job: Callable[..., Job]) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(OptionError, match=r"pip install 'onnxray\[ray\]'"):
        list(Ray().run([job("none")]))


@pytest.mark.parametrize("wrong", [{"cpus": 0.0}, {"gpus": -1.0}, {"gpus": 1.5}, {"retries": -1}, {"memory": -1}])
def test_options_out_of_range_are_told(wrong: dict[str, Any], job: Callable[..., Job]) -> None:
    with pytest.raises(OptionError, match=f"expected .*, got {next(iter(wrong.values()))}"):
        list(replace(Ray(), **wrong).run([job("none")]))
