import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from onnxray.converters import ModelFacts, TensorSpec, sources
from onnxray.converters.parity import Parity
from onnxray.converters.sources import ConversionOptions, ConversionSummary
from onnxray.scanner.cli.commands import main

FACTS = ModelFacts(
    "m.onnx", "0" * 64, 9, "", 20, TensorSpec("x", (None, 3), "float32"), TensorSpec("y", (None, 2), "float32"), 2, ()
)
SUMMARY = ConversionSummary(
    "m.pt2", "PyTorch exported program", "torch.onnx 2", FACTS, Parity(1e-7, 0.5, 1.0, 32, 1e-3), ("a note",)
)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["convert", *map(str, arguments)])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[ConversionOptions]:
    options: list[ConversionOptions] = []

    def convert(source: Path, out: Path, asked: ConversionOptions) -> ConversionSummary:
        print("a library's chatter")  # noqa: T201
        options.append(asked)
        return SUMMARY

    monkeypatch.setitem(vars(sources), "convert", convert)
    return options


def test_the_summary_as_text(asked: list[ConversionOptions]) -> None:
    result = run("m.pt2", "-o", "m.onnx")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "written    m.onnx",
        "from       m.pt2, PyTorch exported program",
        "by         torch.onnx 2, opset 20",
        "input      x float32 (?, 3)",
        "classes    2",
        "compared   with the source's own predictions on 32 inputs: largest difference 2.0e-07 of the scale of the "
        "scores, 1e-03 allowed",
        "note       a note",
    ]


def test_the_summary_as_json(asked: list[ConversionOptions]) -> None:
    told = json.loads(run("m.pt2", "-o", "m.onnx", "-f", "json").stdout)
    assert told["schema"] == "onnxray/conversion/1"
    assert told["model"]["classes"] == 2
    assert told["parity"]["relative"] == pytest.approx(2e-7)


def test_the_flags_arrive(asked: list[ConversionOptions], tmp_path: Path) -> None:
    np.savez(tmp_path / "real.npz", x=np.ones((3, 4)))
    flags = ["--arch", "a", "--classes", 3, "--input-shape", "1, 4", "--trust", "sklearn.A", "--trust", "sklearn.B"]
    assert run("m.pt2", "-o", "m.onnx", *flags, "--inputs", tmp_path / "real.npz").exit_code == 0
    assert asked == [ConversionOptions(arch="a", classes=3, input_shape=(1, 4), trust=("sklearn.A", "sklearn.B"))]
    assert asked[0].samples is not None
    assert asked[0].samples.shape == (3, 4)


@pytest.mark.parametrize(
    "wrong", [["--input-shape", "3"], ["--input-shape", "1,x"], ["--classes", "1"], ["-o", "m.pt"]]
)
def test_wrong_usage(wrong: list[str]) -> None:
    assert run("m.pt2", "-o", "m.onnx", *wrong).exit_code == 4


def test_errors_are_one_line_and_exit_with_two(tmp_path: Path) -> None:
    source = tmp_path / "m.pkl"
    source.write_bytes(pickle.dumps([1]))
    for arguments, words in (
        ((source, "-o", tmp_path / "m.onnx"), "refused: it is a Python pickle"),
        ((tmp_path / "gone.pt2", "-o", tmp_path / "m.onnx"), "no such file"),
        ((source, "-o", tmp_path / "m.onnx", "--inputs", source), "expected an .npy file"),
    ):
        result = run(*arguments)
        assert result.exit_code == 2
        assert words in result.stderr
        assert result.stderr.count("\n") == 1
        assert not result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["m.pkl"]


def test_the_source_is_never_overwritten(tmp_path: Path) -> None:
    source = tmp_path / "m.onnx"
    source.write_bytes(b"x")
    result = run(source, "-o", source)
    assert result.exit_code == 2
    assert "the source itself" in result.stderr
    assert source.read_bytes() == b"x"


def test_a_scan_refuses_pickles_with_the_reason(tmp_path: Path) -> None:
    source = tmp_path / "m.pth"
    source.write_bytes(pickle.dumps([1]))
    result = CliRunner().invoke(main, ["scan", str(source), "--data", str(tmp_path)])
    assert result.exit_code == 2
    assert "run any code" in result.stderr
