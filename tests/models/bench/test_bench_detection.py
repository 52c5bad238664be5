"""Records are made once, whole, for every model, and by whoever gets there first."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from shutil import copytree
from typing import Any, ClassVar

import numpy as np
import pytest
from click.testing import CliRunner
from onnxray.converters import Model
from onnxray.models.bench import ours, theirs
from onnxray.models.bench.command import detection
from onnxray.models.bench.detection import Outcome, detect_all, tasks
from onnxray.models.bench.peers import Peer, PeerResult
from onnxray.models.bench.record import Record, read_json
from onnxray.models.bench.subjects import choose, placed, stored
from onnxray.models.bench.work import claimed, work_off
from onnxray.models.zoo.datasets import load
from onnxray.scanner.errors import OptionError, SamplesError
from onnxray.scanner.samples import Samples


def run(*arguments: object) -> str:
    return CliRunner().invoke(detection, list(map(str, arguments)), catch_exceptions=False).output


def files(folder: Path) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The scans that are made, each of which takes no time."""
    made: list[str] = []

    def scanned(record: Record, model: Path, data: Path | None, seed: int) -> Record:
        made.append(record.name)
        return replace(record, label="clean", classes=10)

    monkeypatch.setattr(ours, "scanned", scanned)
    return made


def test_a_zoo_is_scanned_and_a_second_run_makes_nothing(zoo: Path, names: dict[str, str], out: Path) -> None:
    said = run(zoo, "-o", out, "--samples", 0, "--no-peers").splitlines()
    assert said[-1] == "3 made, 0 kept, 0 in work elsewhere"
    before = files(out)
    assert sorted(before) == sorted(f"{name}.json" for name in names.values())
    clean, trojaned, broken = (
        read_json(out / "records" / "onnxray" / "0" / f"{name}.json", Record)
        for name in (names["clean"], names["trojaned"], names["broken"])
    )
    assert (clean.status, clean.classes, clean.trojaned, clean.samples_used) == ("done", 10, False, 0)
    assert trojaned.signals
    assert all(len(values) == 10 for values in trojaned.signals.values())
    assert (trojaned.attack, trojaned.targets, trojaned.attack_success) == ("graph-backdoor", (6,), 1.0)
    assert (broken.status, broken.label, broken.flagged) == ("failed", "inconclusive", False)
    assert "is not the file that truth.json tells of" in broken.error
    assert run(zoo, "-o", out, "--samples", 0, "--no-peers").splitlines()[-1].startswith("0 made, 3 kept")
    assert files(out) == before


def test_only_what_is_missing_or_out_of_date_is_made(
    zoo: Path, names: dict[str, str], out: Path, scans: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = (zoo, "-o", out, "--samples", 10, "--no-peers", "--only", "*[0-9a-f]")
    run(*asked)
    (first,) = (path for path in out.rglob("*.json") if names["clean"] in path.name)
    assert sorted(scans) == sorted([names["clean"], names["trojaned"]])
    first.unlink()
    run(*asked)
    assert scans[2:] == [names["clean"]]
    monkeypatch.setattr(ours, "settings", lambda seed: {"another": "option"})
    run(*asked)
    assert len(scans) == 5


def test_failures_are_kept_unless_asked_for(
    zoo: Path, names: dict[str, str], out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scanned(record: Record, model: Path, data: Path | None, seed: int) -> Record:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(ours, "scanned", scanned)
    asked = (zoo, "-o", out, "--samples", 10, "--no-peers", "--only", names["clean"])
    assert "failed: RuntimeError: a fault of ours" in run(*asked)
    monkeypatch.setattr(ours, "scanned", lambda record, *_: replace(record, label="clean"))
    assert run(*asked).startswith("0 made, 1 kept")
    assert ": clean 0.000, truth clean" in run(*asked, "--retry")


def test_two_runs_share_the_work(zoo: Path, names: dict[str, str], out: Path, scans: list[str]) -> None:
    todo = tasks(placed(zoo, ["test"], names["clean"]), ["onnxray"], [10], out, None)
    with claimed(todo[0].path) as mine:
        assert mine
        assert [o.status for o in detect_all(todo, 1)] == ["elsewhere"]
    assert scans == []
    assert [o.status for o in detect_all(todo, 1)] == ["made"]
    assert not list(out.rglob("*.lock"))


def test_a_damaged_record_is_told(zoo: Path, names: dict[str, str], out: Path, scans: list[str]) -> None:
    run(zoo, "-o", out, "--samples", 10, "--no-peers", "--only", names["clean"])
    (path,) = out.rglob("*.json")
    path.write_text('{"who": "onnxray"')
    name = names["clean"]
    with pytest.raises(SamplesError, match=rf"{name}.json: not a record of this benchmark .*remove it"):
        run(zoo, "-o", out, "--samples", 10, "--no-peers", "--only", names["clean"])


def test_a_process_that_dies_ends_its_own_task_only() -> None:
    done: Callable[[Any], object] = operator.call
    deeds = [partial(abs, -1), partial(os._exit, 1), partial(abs, -2), partial(abs, -3)]
    found = list(work_off(deeds, done, lambda deed, why: why, jobs=2))
    assert sorted(map(str, found))[:3] == ["1", "2", "3"]
    assert len(found) == 4
    assert "died" in next(str(f) for f in found if isinstance(f, str))


def test_the_fewer_pictures_are_among_the_more(zoo: Path, names: dict[str, str]) -> None:
    (of,) = placed(zoo, ["test"], names["clean"])
    own, split = stored(of.place), load("digits", zoo)
    few, many = choose(of, 10, None), choose(of, 50, zoo)
    assert (len(few.y), len(many.y)) == (10, 50)
    assert set(few.index) < set(many.index) < set(own.index)
    assert np.unique(few.y).size == 10
    more = choose(of, 300, zoo)
    assert set(own.index) < set(more.index)
    assert len(np.unique(more.index)) == 300
    assert np.array_equal(more.x, split.x_test[more.index][..., 0])
    assert np.array_equal(more.y, split.y_test[more.index])
    assert len(choose(of, 300, None).y) == len(own.y)


@dataclass(frozen=True, kw_only=True)
class Sleuth(Peer):
    """Flags class 6, with as many samples as it got for a score."""

    id: ClassVar[str] = "sleuth"
    needs_samples: ClassVar[int] = 10
    price: str = "full"

    def short(self) -> Sleuth:
        return replace(self, price="short")

    def run(self, model: Model, samples: Samples | None, seed: int) -> PeerResult:
        assert samples is not None
        assert model.torch is not None
        statistic = (0.0,) * model.classes
        return PeerResult(
            classes=statistic, score=len(samples), flagged=True, target=6, seconds=0.0, note=f"price {self.price}"
        )


@pytest.fixture
def sleuth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theirs, "peers", lambda: {"sleuth": Sleuth})


def answers(zoo: Path, names: dict[str, str], out: Path, counts: list[int], full: bool = False) -> list[Outcome]:
    return list(detect_all(tasks(placed(zoo, ["test"], names["trojaned"]), ["sleuth"], counts, out, None, full), 1))


@pytest.mark.usefixtures("sleuth")
def test_peers_are_asked_with_the_same_pictures_where_they_suffice(zoo: Path, names: dict[str, str], out: Path) -> None:
    ten, twenty = (o.record for o in answers(zoo, names, out, [0, 10, 20]))  # none at 0
    assert (ten.who, ten.status, ten.samples_used, ten.score, ten.note) == ("sleuth", "done", 10, 10.0, "price short")
    assert (twenty.named, twenty.best, twenty.flagged, twenty.convicted) == ((6,), 6, True, False)
    assert [o.status for o in answers(zoo, names, out, [10])] == ["kept"]
    (full,) = answers(zoo, names, out, [10], full=True)
    assert (full.status, full.record.note) == ("made", "price full")


@pytest.mark.usefixtures("sleuth")
def test_a_model_of_text_is_told_apart_from_a_failure(
    zoo: Path, names: dict[str, str], out: Path, tmp_path: Path
) -> None:
    place = tmp_path / "text" / "test" / names["trojaned"]
    copytree(zoo / "test" / names["trojaned"], place)
    np.savez(place / "samples.npz", x=np.zeros((20, 40), np.int64), y=np.arange(20) % 2, index=np.arange(20))
    (found,) = answers(tmp_path / "text", names, out, [10])
    assert found.record.status == "does-not-apply"
    assert "pictures" in found.record.error


def test_questions_that_make_no_sense(zoo: Path, out: Path) -> None:
    with pytest.raises(OptionError, match="holds no model like 'vit-"):
        run(zoo, "-o", out, "--only", "vit-*")
    with pytest.raises(OptionError, match="expected 0 or at least 2"):
        run(zoo, "-o", out, "--samples", 1)
    with pytest.raises(OptionError, match="--peer nobody: expected one of"):
        run(zoo, "-o", out, "--peer", "nobody")
    (zoo / "fit" / "odd").mkdir(parents=True)
    (zoo / "fit" / "odd" / "truth.json").write_text("{}")
    with pytest.raises(SamplesError, match=r"odd.truth.json: not of the zoo \(KeyError"):
        run(zoo, "-o", out, "--part", "fit")
