from pathlib import Path

from click.testing import CliRunner
from onnxray.models.speed.audit import audit, large_model, measure


def test_both_are_timed_on_a_model_of_the_size_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(large_model(3).SerializeToString())
    assert 2e6 < path.stat().st_size < 3.2e6
    read, audited, ratio = measure(path, rounds=3)
    assert min(read, audited, ratio) > 0


def test_the_command_prints_the_ratio() -> None:
    result = CliRunner().invoke(audit, ["--megabytes", "1", "--rounds", "1"])
    assert result.exit_code == 0
    assert "times" in result.stdout
