"""The experiments' commands: what a user does wrong is one line and an exit code, before any model is opened."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from onnxray.models import activation_clustering, one_detector, repairs, repairs_without_trigger, several_triggers
from onnxray.scanner.cli.exit_codes import ExitCode
from rich_click import Command


@pytest.mark.parametrize(
    ("command", "arguments", "said"),
    [
        (repairs.main, ["--method", "nope"], "--method nope: expected one of"),
        (repairs_without_trigger.main, ["FOLDER", "--method", "nope"], "--method nope: expected one of"),
        (repairs_without_trigger.main, ["FOLDER"], "holds no model like"),
        (one_detector.main, ["FOLDER", "--detector", "nope"], "there is no detector 'nope'"),
        (one_detector.main, ["FOLDER", "--detector", "max-margin"], "holds no model like"),
        (several_triggers.main, ["FOLDER", "--data", "FOLDER", "--method", "nope"], "there is no detector 'nope'"),
    ],
)
def test_a_wrong_option_is_one_line(command: Command, arguments: list[str], said: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [a.replace("FOLDER", str(tmp_path)) for a in arguments])
    assert result.exit_code == ExitCode.USAGE
    assert said in result.output
    assert "Traceback" not in result.output


def test_a_missing_data_set_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(activation_clustering.main, ["--data", str(tmp_path), "--only", "clean"])
    assert result.exit_code == ExitCode.ERROR
    assert "mnist.npz: expected MNIST" in result.output


def test_several_triggers_are_not_measured_on_a_part_of_the_stamped_pictures(tmp_path: Path) -> None:
    from onnxray.models.bench.record import Subject
    from onnxray.models.bench.subjects import Placed
    from onnxray.scanner.errors import SamplesError

    np.savez(tmp_path / "samples.npz", x=np.zeros((4, 6, 6), np.uint8), y=np.arange(4), index=np.arange(4))
    of = Placed(tmp_path, Subject(name="m", sha256="", part="fit", dataset="mnist", network="mlp"))
    with pytest.raises(SamplesError, match="expected mnist there"):
        next(several_triggers._rows(of, tmp_path, ()))
