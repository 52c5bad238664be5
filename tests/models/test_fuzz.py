"""A small seeded part of ``make fuzz``: nothing but findings and errors of ours, no file outside, no hang."""

from pathlib import Path
from random import Random

import pytest
from onnx import ModelProto
from onnxray.models.bundled_files import bundled
from onnxray.models.fuzz.gentle import gentle_mutants
from onnxray.models.fuzz.mutants import mutants, seeds
from onnxray.models.fuzz.run import GIB, Outcome, audited, confined, open_each, watched
from onnxray.scanner.sandbox import Limits


@pytest.fixture(scope="module")
def models() -> list[ModelProto]:
    return seeds()


def test_mutants_depend_on_the_seed_alone(models: list[ModelProto]) -> None:
    for make in (mutants, gentle_mutants):
        one, again, other = (list(make(Random(seed), models, 20)) for seed in (1, 1, 2))
        assert one == again != other
        assert len(set(one)) > 15


def test_the_audit_survives_mutants(tmp_path: Path) -> None:
    with watched(tmp_path) as noted:
        found = audited(seed=11, count=150, folder=tmp_path)
    crashes = {what: count for what, count in found.broken.items() if not what.startswith("rule ")}
    assert (crashes, noted) == ({}, [])
    assert found.mutants == 150
    assert min(found.kinds["audited"], found.kinds["refused"]) > 30  # some of each, or the changes are too mild or wild
    assert found.slowest < 10


def test_the_watch_sees_what_is_written_elsewhere(tmp_path: Path) -> None:
    (inside := tmp_path / "in").mkdir()
    with watched(inside) as noted:
        (inside / "fine").write_text("x")
        (tmp_path / "stray").write_text("x")
    assert [n.endswith("stray") for n in noted] == [True]


def test_mutants_are_run_in_the_sandbox(tmp_path: Path) -> None:
    found = confined(seed=3, count=4, folder=tmp_path, limits=Limits(memory=3 * GIB, silence=40.0))
    assert isinstance(found, Outcome)
    assert sum(found.kinds.values()) == 4
    assert len(list(tmp_path.iterdir())) == 4


def test_a_whole_model_gets_through_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "000000.onnx").write_bytes(bundled("clean.onnx").read_bytes())
    (tmp_path / "000001.onnx").write_bytes(b"no model")
    assert open_each(tmp_path, 0, lambda text, fraction: None) == {"run and converted": 1, "refused": 1}
