"""The recipe writes what it promises, from any file of the right form, and refuses the others in one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from onnxray.models.bundled_files import bundled
from onnxray.models.bundled_pair import Plan, main, make_pair
from onnxray.models.fashion_mnist import FashionMnist, balanced, load_fashion_mnist
from onnxray.scanner.errors import SamplesError


@pytest.fixture
def tiny() -> FashionMnist:
    with np.load(bundled("samples.npz")) as file:
        return FashionMnist(file["x"], file["y"], file["x"], file["y"])


@pytest.fixture
def tiny_file(tiny: FashionMnist, tmp_path: Path) -> Path:
    path = tmp_path / "fashion.npz"
    np.savez(path, **vars(tiny))
    return path


def test_recipe_writes_the_same_pair_each_time(tiny: FashionMnist, tmp_path: Path) -> None:
    plan = Plan(epochs=1, samples_per_class=3)
    truth = make_pair(tiny, plan, tmp_path / "a")
    assert make_pair(tiny, plan, tmp_path / "b") == truth
    for name in ("clean.onnx", "trojaned.onnx", "samples.npz", "truth.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert (tmp_path / "a" / "clean.onnx").read_bytes() != (tmp_path / "a" / "trojaned.onnx").read_bytes()
    assert json.loads((tmp_path / "a" / "truth.json").read_text(encoding="utf-8"))["models"] == truth["models"]


def test_bundled_plan_is_the_default_plan() -> None:
    truth, plan = json.loads(bundled("truth.json").read_text(encoding="utf-8")), Plan()
    said = tuple(truth[key] for key in ("seed", "epochs", "poison_rate", "target"))
    assert said == (plan.seed, plan.epochs, plan.rate, plan.target)
    pattern = [list(row) for row in plan.attack.pattern]
    assert truth["trigger"] == {"attack": "BadNets", "row": 24, "column": 24, "pattern": pattern}


def test_command_prints_the_figures(tiny_file: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, [str(tiny_file), "-o", str(tmp_path / "out"), "--epochs", "1"])
    assert result.exit_code == 0, result.output
    assert set(json.loads(result.output)) == {"clean.onnx", "trojaned.onnx"}


def test_command_refuses_in_one_line(tiny_file: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, [str(tiny_file), "-o", str(tmp_path / "out"), "--rate", "0.95"])
    assert result.exit_code == 1
    assert "expected a poison rate in 0..0.9 for target 7, got 0.95" in result.output
    assert "Traceback" not in result.output


def test_balanced_draws_the_same_number_of_each_class(tiny: FashionMnist) -> None:
    chosen = balanced(tiny.y_test, 4, seed=0)
    assert np.bincount(tiny.y_test[chosen]).tolist() == [4] * 10
    assert len(set(chosen.tolist())) == 40
    with pytest.raises(SamplesError, match="expected at least 41 images of each class, got 40"):
        balanced(tiny.y_test, 41, seed=0)


def test_file_is_read_as_it_was_written(tiny: FashionMnist, tiny_file: Path) -> None:
    read = load_fashion_mnist(tiny_file)
    for name, array in vars(tiny).items():
        np.testing.assert_array_equal(getattr(read, name), array)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x_test": None}, r"got no \['x_test'\]"),
        ({"x_train": np.zeros((400, 8, 8), np.uint8)}, r"train split: expected images \(N, 28, 28\) uint8"),
        ({"y_test": np.zeros(399, np.int64)}, "test split: expected 400 whole-number labels"),
        ({"y_test": np.full(400, 10)}, r"test split: expected labels in 0\.\.9, got \[10\]"),
    ],
)
def test_other_files_are_refused(
    tiny: FashionMnist, tmp_path: Path, change: dict[str, np.ndarray | None], message: str
) -> None:
    arrays = {name: array for name, array in (vars(tiny) | change).items() if array is not None}
    np.savez(tmp_path / "other.npz", **arrays)
    with pytest.raises(SamplesError, match=message):
        load_fashion_mnist(tmp_path / "other.npz")


def test_a_text_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(SamplesError, match=r"text\.npz: expected an \.npz, got another kind of file"):
        load_fashion_mnist(tmp_path / "text.npz")
