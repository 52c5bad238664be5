"""How many scans a machine takes at once."""

import sys
from pathlib import Path
from typing import Any

import pytest
from onnxray.scanner.config import ScanOptions
from onnxray.scanner.errors import OptionError
from onnxray.scanner.executors import _machine
from onnxray.scanner.executors._machine import Gpu, Machine, this_machine
from onnxray.scanner.executors._packing import BASE, GPU_BASE, PER_BYTE, Packing
from onnxray.scanner.jobs import Job
from onnxray.scanner.work import Share

GIB = 1 << 30
SMALL, LARGE = 1 << 20, 500 << 20


def job(name: str, size: int = SMALL, **changes: Any) -> Job:
    return Job(key=name, name=name, path=Path("/nowhere"), sha256="0" * 64, size_bytes=size, **changes)


def packing(cores: int = 8, memory: int = 64 * GIB, workers: int = 4, gpus: tuple[Gpu, ...] = ()) -> Packing:
    return Packing(Machine(cores, memory, gpus), workers, memory)


def placed(room: Packing, *jobs: Job) -> list[str]:
    return [one.name for one in jobs if room.place(one)]


def test_no_more_than_the_workers_and_the_cores_shared() -> None:
    room = packing(cores=9)
    assert placed(room, *(job(str(i)) for i in range(6))) == ["0", "1", "2", "3"]
    assert {slot.share for slot in room.held.values()} == {Share(threads=2)}
    room.ended(job("2"), 0)
    assert room.place(job("4"))


def test_memory_for_all_of_them() -> None:
    room = packing(memory=2 * (BASE + PER_BYTE * SMALL) + 1)
    assert placed(room, job("a"), job("b"), job("c")) == ["a", "b"]


def test_a_job_larger_than_everything_runs_alone() -> None:
    room = packing(memory=GIB)
    assert placed(room, job("large", LARGE), job("small")) == ["large"]
    room.ended(job("large", LARGE), 0)
    assert placed(room, job("small"), job("large", LARGE)) == ["small"]


def test_what_was_seen_corrects_the_estimate_for_models_of_like_size() -> None:
    room = packing()
    before = room.need(job("a")), room.need(job("b", LARGE))
    for peak in (GIB, 2 * GIB, GIB):
        room.place(job("seen"))
        room.ended(job("seen"), peak)
    assert room.need(job("a")) == 2 * GIB * 1.25
    assert (before[0] != room.need(job("a")), before[1]) == (True, room.need(job("b", LARGE)))
    assert room.need(job("tiny", 10)) == room.need(job("a"))


@pytest.mark.parametrize("alone", [job("alone", losses=2), job("alone", sandbox=False)])
def test_jobs_that_have_no_other_beside_them(alone: Job) -> None:
    room = packing()
    assert placed(room, alone, job("b")) == ["alone"]
    room.ended(alone, 0)
    assert placed(room, job("b"), alone) == ["b"]
    assert placed(packing(), job("b"), job("lost once", losses=1)) == ["b", "lost once"]


def test_small_models_share_a_gpu_and_spread_over_several() -> None:
    room = packing(workers=9, gpus=(Gpu("0", 3 * GPU_BASE), Gpu("1", 3 * GPU_BASE)))
    names = [str(i) for i in range(6)]
    assert placed(room, *map(job, names)) == ["0", "1", "2", "3"]  # two and a bit fit on each
    assert [room.held[name].share.gpus for name in names[:4]] == ["0", "1", "0", "1"]
    room.ended(job("1"), 0)
    slot = room.place(job("4"))
    assert slot
    assert slot.share.gpus == "1"


def test_what_needs_no_gpu_has_none() -> None:
    room = packing(gpus=(Gpu("0", GPU_BASE // 2),))
    first = room.place(job("larger than the GPU"))
    assert first
    assert first.share.gpus == "0"
    assert not room.place(job("another"))
    on_cpu = room.place(job("cpu", options=ScanOptions(device="cpu")))
    assert on_cpu
    assert (on_cpu.gpu, on_cpu.share.gpus) == (None, None)
    hidden = Packing(Machine(2, GIB), 2, GIB, hide_gpus=True).place(job("a"))
    assert hidden
    assert hidden.share.environment["CUDA_VISIBLE_DEVICES"] == ""


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with three GPUs."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    rows = ["0, GPU-aa11, 8000", "1, GPU-bb22, 16000", "2, GPU-cc33, [N/A]", "3, GPU-dd44, 4000"]
    told = f"import sys; print({chr(10).join(rows)!r})"
    monkeypatch.setattr(_machine, "_ASK", (sys.executable, "-c", told))


@pytest.mark.usefixtures("driver")
@pytest.mark.parametrize(
    ("visible", "wanted", "expected"),
    [
        (None, "auto", ["0", "1", "3"]),
        ("", "auto", []),
        ("3,0", "auto", ["3", "0"]),
        ("GPU-bb", "auto", ["1"]),
        ("7", "auto", []),
        ("3", "0,1", ["0", "1"]),
        (None, "none", []),
    ],
)
def test_the_gpus_that_may_be_used(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, wanted: str, expected: list[str]
) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [gpu.name for gpu in this_machine(wanted).gpus] == expected


@pytest.mark.usefixtures("driver")
def test_a_gpu_that_is_not_there() -> None:
    with pytest.raises(OptionError, match="there is no GPU '5'; there are"):
        this_machine("5")
    assert this_machine("1").gpus == (Gpu("1", 16000 << 20),)


def test_a_machine_without_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_machine, "_ASK", ("no-such-program",))
    machine = this_machine()
    assert machine.gpus == ()
    assert machine.cores >= 1
    assert machine.memory > 0


def test_the_limits_of_a_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_machine, "_CONTROL", tmp_path)
    free = this_machine("none")
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    (tmp_path / "memory.max").write_text("300000000\n")
    (tmp_path / "memory.current").write_text("100000000\n")
    assert this_machine("none") == Machine(1, 200_000_000)
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert this_machine("none").cores == free.cores
