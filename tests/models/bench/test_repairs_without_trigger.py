"""The table of repairs that get no trigger: nothing is scanned, and times are multiples of few-samples'."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from onnxray.models.repairs_without_trigger import main
from onnxray.scanner.repair_bench import Bench


def test_methods_are_timed_beside_few_samples_without_a_scan(
    zoo: Path, names: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(Bench, "scan")
    arguments = [str(zoo), "--part", "test", "--only", names["trojaned"], "--method", "few-samples", "--method", "clp"]
    said = CliRunner().invoke(main, arguments, catch_exceptions=False).output.splitlines()
    head, _, few, clp = ([cell.strip() for cell in line.strip("|").split("|")] for line in said)
    assert head[1:5] == ["method", "accuracy", "true ASR", "time"]
    assert few[:2] == [names["trojaned"], "few-samples"]
    assert few[4] == "1.0"
    assert clp[1] == "clp"
    assert float(clp[4]) < 1
    assert few[3].startswith("100.0% → ")
