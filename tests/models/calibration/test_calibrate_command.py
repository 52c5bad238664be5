"""``onnxray zoo calibrate`` on written records, and on models that are said to be clean."""

from math import log
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from onnxray.models.bench.record import OURS, Record, write_json
from onnxray.models.zoo.command import zoo
from onnxray.scanner import pipeline
from onnxray.scanner.calibration import Calibration
from onnxray.scanner.errors import OptionError, SamplesError
from onnxray.scanner.findings import Evidence

K = 10


def record(part: str, i: int, rng: np.random.Generator) -> Record:
    trojaned, target = bool(i % 2), int(rng.integers(K))
    far = rng.normal(0.8, 0.3, K).clip(0, 4)
    far[target] += 2.0 * trojaned
    rare = rng.normal(0.5, 0.2, K).clip(0, 4)
    rare[target] += 1.0 * trojaned
    signals: dict[str, Any] = {"neural-cleanse.far": tuple(far.tolist()), "max-margin.rare": tuple(rare.tolist())}
    return Record(
        name=f"{part}-{i}", sha256=str(i), part=part, dataset="digits", network="plain", trojaned=trojaned,
        targets=(target,) * trojaned, who=OURS, samples=200, classes=K, signals=signals, version="0",
    )  # fmt: skip


@pytest.fixture
def records(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for part in ("fit", "calibrate", "test"):
        for i in range(40):
            one = record(part, i, rng)
            write_json(one, tmp_path / "records" / OURS / "200" / f"{one.name}.json")
    return tmp_path


def cut(made: Calibration) -> float:
    """The log-odds from which a searched model is suspicious."""
    level = made.levels["searched"]
    return (log(level.suspicious / (1 - level.suspicious)) - level.intercept) / level.slope


def run(*arguments: str) -> Any:
    return CliRunner().invoke(zoo, ["calibrate", *arguments])


def test_a_calibration_is_written_and_says_what_it_was_made_from(records: Path, tmp_path: Path) -> None:
    result = run(str(records), "-o", str(tmp_path / "made.json"))
    assert result.exit_code == 0, result.output
    made = Calibration.load(tmp_path / "made.json")
    assert made.made["weights_from"] == {"scans": 40, "models": 40, "trojaned": 20}
    assert made.made["curves_from"] == {"scans": 40, "models": 40, "trojaned": 20}
    assert made.levels["searched"].clean == 20
    assert "neural-cleanse.far" in result.output
    assert "suspicious from" in result.output


def test_the_part_test_is_not_read(records: Path, tmp_path: Path) -> None:
    run(str(records), "-o", str(tmp_path / "with.json"))
    for path in (records / "records" / OURS / "200").glob("test-*.json"):
        path.unlink()
    run(str(records), "-o", str(tmp_path / "without.json"))
    assert (tmp_path / "with.json").read_bytes() == (tmp_path / "without.json").read_bytes()


def test_models_of_one_s_own_move_the_cut(
    records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """These stand out further than the zoo's clean models do, as another architecture's might."""
    rng = np.random.default_rng(1)

    def scanned(path: Path, data: Path | None, options: object) -> object:
        index = [float(v) for v in rng.normal(0, 1, K)]
        index[0] = 5.0
        evidence = Evidence("max-margin", (1.0,) * K, "margin", details={"anomaly_index": index}, large=True)
        sizes = [0.1, *rng.uniform(0.3, 0.5, K - 1).tolist()]
        search = Evidence("neural-cleanse", tuple(sizes), "share", sizes=True)
        return SimpleNamespace(
            evidence=[evidence, search], evaluation=None, model=SimpleNamespace(classes=K),
            verdict=SimpleNamespace(label="clean"),
        )  # fmt: skip

    monkeypatch.setattr(pipeline, "scan", scanned)
    own = tmp_path / "own"
    own.mkdir()
    for i in range(12):
        (own / f"{i}.onnx").write_bytes(b"")
    run(str(records), "-o", str(tmp_path / "zoo.json"))
    result = run(str(records), "-o", str(tmp_path / "own.json"), "--clean", str(own), "--data", str(own))
    assert result.exit_code == 0, result.output
    zoo_s, mine = (Calibration.load(tmp_path / name) for name in ("zoo.json", "own.json"))
    assert mine.made["own_clean_models"] == 12
    assert mine.weights == zoo_s.weights
    assert cut(mine) > cut(zoo_s) + 0.2


def test_what_is_wrong_is_named(records: Path, tmp_path: Path) -> None:
    alone = run(str(records), "-o", str(tmp_path / "x.json"), "--clean", str(records))
    assert isinstance(alone.exception, OptionError)
    assert "--data" in str(alone.exception)
    (tmp_path / "empty").mkdir()
    nothing = run(str(tmp_path / "empty"), "-o", str(tmp_path / "x.json"))
    assert isinstance(nothing.exception, SamplesError)
    assert "onnxray bench detection" in str(nothing.exception)
