"""A job's key changes with everything that its report depends on, and with nothing else."""

import os
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from batch_fakes import catalog, entry
from onnxray.scanner.batch import BatchOptions, plan
from onnxray.scanner.catalog import Catalog, Entry
from onnxray.scanner.config import ScanOptions
from onnxray.scanner.domain_overrides import DomainOverrides
from onnxray.scanner.errors import OptionError, SamplesError
from onnxray.scanner.jobs import Job

OPTIONS = {
    "seed": 5, "samples": 50, "detectors": ("last-layer",), "settings": {"neural-cleanse": {"steps": 5}},
    "also": ("pair-search",), "max_seconds": 9.0, "device": "cpu", "overrides": DomainOverrides(bgr=True),
    "scores": "probabilities",
}  # fmt: skip


def only(model: Entry, **batch: Any) -> Job:
    (job,) = plan(Catalog((model,)), BatchOptions(**batch)).jobs
    return job


def test_every_option_makes_another_key() -> None:
    usual = only(entry("m", 1))
    keys = {only(entry("m", 1), options=ScanOptions(**{name: value})).key for name, value in OPTIONS.items()}  # type: ignore[arg-type]
    assert len(keys | {usual.key}) == len(OPTIONS) + 1
    assert len(usual.key) == 64
    assert only(entry("m", 2)).key != usual.key
    every = {f for f in ScanOptions.__dataclass_fields__} - {"tolerant"}  # which every batch is
    assert every == {*OPTIONS, "calibration"}  # a new one belongs into the key


def test_names_and_limits_make_none() -> None:
    usual = only(entry("m", 1))
    assert only(entry("other", 1, group="g", origin={"revision": "1"})).key == usual.key
    assert only(entry("m", 1), max_memory=1 << 30, sandbox=False, retry=True).key == usual.key


def test_the_version_makes_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = only(entry("m", 1)).key
    monkeypatch.setattr("onnxray.scanner.batch.planning.__version__", "99")
    assert only(entry("m", 1)).key != usual


def test_pictures_count_by_content(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    for name in ("cat/1.png", "dog/2.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    (folder / "loop").symlink_to(folder)
    first = only(entry("m", 1), data=folder).key
    moved = folder.rename(tmp_path / "moved")
    (moved / "loop").unlink()
    (moved / "loop").symlink_to(moved)
    os.utime(moved / "cat/1.png", (0, 0))
    assert only(entry("m", 1), data=moved).key == first
    assert only(entry("m", 1), training_data=moved).key != first
    (moved / "cat/1.png").rename(moved / "dog/1.png")  # the same pictures, other labels
    relabelled = only(entry("m", 1), data=moved).key
    (moved / "dog/2.png").write_bytes(b"other")
    assert len({first, relabelled, only(entry("m", 1), data=moved).key, only(entry("m", 1)).key}) == 4


def test_the_pictures_that_a_table_names_count(tmp_path: Path) -> None:
    table, picture = tmp_path / "t.csv", tmp_path / "1.png"
    table.write_text("path,label\n1.png,0\n2.png,1\n")
    picture.write_bytes(b"one")
    first = only(entry("m", 1), data=table).key
    picture.write_bytes(b"two")
    assert only(entry("m", 1), data=table).key != first


def test_what_lies_beside_the_model_counts(tmp_path: Path) -> None:
    model = replace(entry("m", 1), path=tmp_path / "net" / "m.onnx")
    model.path.parent.mkdir()
    bare = only(model).key
    assert bare == only(entry("elsewhere", 1)).key
    (tmp_path / "net" / "config.json").write_text('{"mean": 1}')
    beside = only(model).key
    assert beside != bare
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("net/config.json", '{"mean": 1}')
        archive.writestr("net/m.onnx", b"model")
        archive.writestr("bare/m.onnx", b"model")
    packed = replace(model, path=tmp_path / "a.zip", member="net/m.onnx")
    assert only(packed).key == beside
    assert only(replace(packed, member="bare/m.onnx")).key == bare


def test_the_calibration_counts_by_content(tmp_path: Path) -> None:
    keys = set()
    for name, text in (("a", "1"), ("b", "1"), ("c", "2")):
        (tmp_path / name).write_text(text)
        keys.add(only(entry("m", 1), options=ScanOptions(calibration=tmp_path / name)).key)
    assert len(keys) == 2
    with pytest.raises(OptionError, match=r"m: the calibration .* cannot be read"):
        only(entry("m", 1), options=ScanOptions(calibration=tmp_path / "none"))


def test_options_of_an_entry_go_before_the_batch_s(tmp_path: Path) -> None:
    told = {
        "samples": "50", "seed": 3, "mean": "0.5,0.4,0.3", "std": [0.2], "bgr": "true",
        "detectors": "last-layer, neural-cleanse", "also": "pair-search",
        "neural-cleanse.steps": "7", "max_seconds": 60, "calibration": str(tmp_path / "c"),
    }  # fmt: skip
    (tmp_path / "c").touch()
    usual = ScanOptions(
        device="cpu", settings={"neural-cleanse": {"lr": 1}, "max-margin": {}}, overrides=DomainOverrides(layout="NCHW")
    )
    options = only(entry("m", 1, options=told), options=usual).options
    assert options == ScanOptions(
        samples=50, seed=3, device="cpu", detectors=("last-layer", "neural-cleanse"), also=("pair-search",),
        max_seconds=60.0,
        settings={"neural-cleanse": {"lr": 1, "steps": "7"}},
        calibration=tmp_path / "c",
        overrides=DomainOverrides(layout="NCHW", mean=(0.5, 0.4, 0.3), std=(0.2,), bgr=True),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"sample": 5}, "m.onnx: there is no option 'sample'; there are also, bgr, calibration, "),
        ({"samples": "many"}, "m.onnx: samples: .*int"),
        ({"samples": 1}, "m.onnx: expected at least 2 samples, got 1"),
        ({"seed": -1}, "m.onnx: expected a seed"),
        ({"device": "tpu"}, "m.onnx: expected a device among auto, cpu, cuda, got 'tpu'"),
        ({"max_seconds": 0}, "m.onnx: expected max_seconds above 0"),
        ({"layout": "ABCD"}, "m.onnx: expected a layout among"),
        ({"detectors": ["magic"]}, "m.onnx: there is no detector 'magic'"),
        ({"magic.steps": 1}, "m.onnx: there is no detector 'magic'"),
        ({"neural-cleanse.magic": 1}, "m.onnx: NeuralCleanse has no option ..magic"),
    ],
)
def test_wrong_options_of_an_entry(told: dict[str, object], expected: str) -> None:
    with pytest.raises(OptionError, match=expected):
        only(entry("m.onnx", 1, options=told))


def test_pictures_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(SamplesError, match="none: cannot be read"):
        only(entry("m", 1), data=tmp_path / "none")
    absent = only(entry("m", 1, data=tmp_path / "own"))  # the scan will say what is wrong with it
    (tmp_path / "own").touch()
    assert only(entry("m", 1, data=tmp_path / "own")).key != absent.key


def test_large_models_begin_first() -> None:
    sizes = [job.size_bytes for job in plan(catalog(5), BatchOptions()).jobs]
    assert sizes == sorted(sizes, reverse=True)


def test_shards_are_parts_of_the_whole() -> None:
    """Digests deal them out, of the options too: of 400 a fair share of 100 is never as few as 50."""
    whole = {job.key for job in plan(catalog(400), BatchOptions()).jobs}
    parts = [plan(catalog(400), BatchOptions(shard=(i, 4))) for i in (1, 2, 3, 4)]
    assert sorted(job.key for part in parts for job in part.jobs) == sorted(whole)
    assert all(len(part.keys) == 400 for part in parts)
    assert min(len(part.jobs) for part in parts) > 50


@pytest.mark.parametrize("shard", [(0, 4), (5, 4), (1, 0)])
def test_impossible_shards(shard: tuple[int, int]) -> None:
    with pytest.raises(OptionError, match="expected a shard I/N"):
        plan(catalog(1), BatchOptions(shard=shard))
