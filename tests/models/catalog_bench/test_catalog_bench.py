"""The bench itself: its catalog, its kills, and that its checks notice what they are there for."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from onnxray.models.catalog_bench import Check, Expected, killing
from onnxray.models.catalog_bench.building import CATALOG, MANIFEST, build
from onnxray.models.catalog_bench.copies import copies
from onnxray.models.catalog_bench.driver import Place, adopted_orphans
from onnxray.models.catalog_bench.judging import checks
from onnxray.models.catalog_bench.killing import Moment, Ordeal, killed_and_begun_again, moments
from onnxray.models.catalog_bench.ledger import Row
from onnxray.models.catalog_bench.measuring import measured
from onnxray.models.catalog_bench.pace import Undisturbed, undisturbed
from onnxray.models.catalog_bench.telling import lines
from onnxray.scanner.catalog import inventory

PROGRAM = Path(__file__).parent / "quick_program.py"
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="signals and /proc as on Linux")


@pytest.mark.parametrize(("models", "jobs"), [(12, 9), (300, 269)])
def test_the_inventory_finds_what_the_catalog_is_said_to_have(
    models: int, jobs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = build(tmp_path, models, 0)
    monkeypatch.chdir(tmp_path)
    found = inventory([CATALOG], manifest=Path(MANIFEST))
    names = {e.name: "" for e in found.entries} | {u.name: u.code for u in found.unscanned}
    assert names == expected.names
    assert len(names) == models
    assert expected.jobs == len({(e.sha256, str(e.options)) for e in found.entries}) == jobs


def test_a_seed_makes_the_same_copies_and_no_two_alike() -> None:
    first, second, other = (copies(seed) for seed in (1, 1, 2))
    made = [next(first) for _ in range(30)]
    assert made == [next(second) for _ in range(30)]
    assert len({*made, next(other)}) == 31


def test_moments_are_spread_over_the_run() -> None:
    plan = moments(12, 100, 3)
    assert plan == moments(12, 100, 3) != moments(12, 100, 4)
    assert sorted(moment.kind for moment in plan) == ["driver"] * 6 + ["scan"] * 3 + ["start"] * 3
    assert [moment.ended for moment in plan] == sorted(moment.ended for moment in plan)
    assert max(moment.ended for moment in plan) < 95


def ordeal(folder: Path, mode: str) -> tuple[Place, Expected, Ordeal, Undisturbed]:
    place = Place(folder, (sys.executable, str(PROGRAM), mode), ())
    expected = build(folder, 12, 0)
    plan = [Moment("driver", 2, 0.05), Moment("driver", 5, 0.0)]
    with adopted_orphans():
        found = killed_and_begun_again(place, plan, 2, 120.0, lambda line: None)
    return place, expected, found, undisturbed(place, expected, 0, 1, 0, lambda line: None)


def wrong(judged: list[Check]) -> set[str]:
    return {check.what for check in judged if check.wrong}


@linux
def test_kills_that_lose_nothing(tmp_path: Path) -> None:
    place, expected, found, quiet = ordeal(tmp_path, "honest")
    numbers = measured(place, expected, found)
    judged = checks(expected, found, place, quiet.answers)
    assert not wrong(judged), judged
    assert (found.kills, found.code, numbers.jobs) == ({"driver": 2}, 1, 9)
    assert numbers.begun >= 9
    assert numbers.html_bytes > 10_000
    text = "\n".join(lines(numbers, quiet, judged))
    assert "killed with -9        2 driver" in text
    assert "WRONG" not in text

    key, row = next(iter(found.snapshots[-1].items()))
    found.snapshots.append({key: replace_tries(row)})
    found.faults.append("row 3 missing")
    assert wrong(checks(replace(expected, jobs=10), replace_code(found), place, {"a.onnx": ("clean", "", 0.0)})) == {
        "the last run ended by itself",
        "every job has ended",
        "no job that had ended was done again",
        "the table is that of an undisturbed run",
        "the store is whole",
    }


@linux
def test_a_sloppy_program_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(killing, "_MERCY", 0.3)
    place, expected, found, quiet = ordeal(tmp_path, "sloppy")
    name = next(iter(expected.plain))
    other = replace(expected, names={**expected.names, "catalog/unseen.onnx": "", name: "missing"})
    assert wrong(checks(other, found, place, quiet.answers)) == {
        "every name is accounted for",
        "nothing broken or hostile is clean",
        "the table is that of an undisturbed run",
        "no process outlived its run",
        "no temporary folder is left",
        "no traceback in any message",
    }


def replace_tries(row: Row) -> Row:
    return row._replace(tries=row.tries + 1)


def replace_code(found: Ordeal) -> Ordeal:
    return replace(found, code=None)
