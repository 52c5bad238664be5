"""Stores of shards come together in one, whatever the order and however often."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from batch_fakes import OneByOne, catalog, done, entry, scan, table
from onnxray.scanner.catalog import Catalog, Unscanned
from onnxray.scanner.jobs import Outcome
from onnxray.scanner.store import MergeTally, Store, StoreError

MISSING = Unscanned("u.onnx", "missing", "It is not there.")


def merged(into: Path, *others: Path) -> list[MergeTally]:
    with Store.open(into) as store:
        return [store.merge(other) for other in others]


@pytest.fixture
def shards(tmp_path: Path) -> list[Path]:
    """Three parts of a catalog of twelve models and something that is none."""
    paths = [tmp_path / f"{part}.db" for part in (1, 2, 3)]
    for part, path in enumerate(paths, 1):
        scan(path, catalog(12, MISSING), shard=(part, 3))
    return paths


def test_shards_are_the_whole(shards: list[Path], tmp_path: Path) -> None:
    whole = tmp_path / "whole.db"
    scan(whole, catalog(12, MISSING))
    tallies = merged(tmp_path / "all.db", *shards)
    assert table(tmp_path / "all.db") == table(whole)
    assert sum(tally.added for tally in tallies) == 12
    assert [tally.names for tally in tallies] == [13, 0, 0]
    assert {(tally.same, tally.conflicts) for tally in tallies} == {(0, 0)}


def test_a_shard_that_is_missing_shows(shards: list[Path], tmp_path: Path) -> None:
    merged(tmp_path / "all.db", *shards[:2])
    labels = [label for label, _ in table(tmp_path / "all.db").values()]
    assert 0 < labels.count("waiting") < 12
    assert len(labels) == 13


def test_again_changes_nothing(shards: list[Path], tmp_path: Path) -> None:
    merged(tmp_path / "all.db", *shards)
    before = table(tmp_path / "all.db")
    tallies = merged(tmp_path / "all.db", *shards)
    assert {(tally.names, tally.added, tally.conflicts) for tally in tallies} == {(0, 0, 0)}
    assert sum(tally.same for tally in tallies) == 12
    assert table(tmp_path / "all.db") == before


def test_the_first_result_of_a_job_stays(tmp_path: Path) -> None:
    here, there = tmp_path / "here.db", tmp_path / "there.db"
    scan(here, catalog(3), OneByOne(lambda job: done(job, "clean")))
    scan(there, catalog(3), OneByOne(lambda job: done(job, "backdoored")))
    assert merged(here, there) == [MergeTally(conflicts=3)]
    assert {label for label, _ in table(here).values()} == {"clean"}


def test_a_report_is_better_than_an_error(tmp_path: Path) -> None:
    failed, well = tmp_path / "failed.db", tmp_path / "well.db"
    scan(failed, catalog(2), OneByOne(lambda job: Outcome(error="no memory")))
    scan(well, catalog(2))
    shutil.copy(failed, tmp_path / "copy.db")
    assert merged(failed, well) == [MergeTally(added=2)]
    assert {label for label, _ in table(failed).values()} == {"clean"}
    assert merged(well, tmp_path / "copy.db") == [MergeTally()]
    assert {label for label, _ in table(well).values()} == {"clean"}


def test_the_catalog_of_the_other_counts_as_the_later(tmp_path: Path) -> None:
    here, there = tmp_path / "here.db", tmp_path / "there.db"
    scan(here, Catalog((entry("m.onnx", 1),)), OneByOne(lambda job: done(job, "clean")))
    scan(there, Catalog((entry("m.onnx", 2),)), OneByOne(lambda job: done(job, "backdoored")))
    merged(here, there)
    assert table(here) == {("m.onnx",): ("backdoored", 1)}


def test_what_is_running_elsewhere_waits_here(tmp_path: Path) -> None:
    here, there = tmp_path / "here.db", tmp_path / "there.db"
    scan(there, catalog(2))
    with sqlite3.connect(there) as connection:
        connection.execute("UPDATE jobs SET state = 'running', owner = 'x' WHERE name LIKE '%m001%'")
    merged(here, there)
    assert table(here)[("models/m001.onnx",)] == ("waiting", 1)
    assert scan(here, catalog(2)).reused == 1


def test_repairs_come_along(tmp_path: Path) -> None:
    here, there = tmp_path / "here.db", tmp_path / "there.db"
    scan(there, catalog(1))
    with Store.open(there) as store:
        store.add_repair("0" * 64, '{"repair": "clp"}')
    merged(here, there)
    with Store.open(here) as store:
        assert [answer.repair for answer in store.answers()] == [{"repair": "clp"}]


def test_wrong_stores_change_nothing(tmp_path: Path) -> None:
    here = tmp_path / "here.db"
    scan(here, catalog(2))
    before = table(here)
    (tmp_path / "text.db").write_text("no store" * 1000)
    with pytest.raises(StoreError, match=r"text\.db: not a store"):
        merged(here, tmp_path / "text.db")
    with pytest.raises(StoreError, match="no such store"):
        merged(here, tmp_path / "absent.db")
    with pytest.raises(StoreError, match="with itself"):
        merged(here, here)
    assert table(here) == before
