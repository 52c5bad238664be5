"""PaddlePaddle: programs are judged without PaddlePaddle; networks convert."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from onnxray.converters import ModelError, open_model
from onnxray.converters.sources import Refused, convert, find
from onnxray.converters.sources._paddle_program import refuse_unsafe


def field(number: int, content: bytes) -> bytes:
    """A field of a protobuf message, shorter than 128 bytes."""
    return bytes([number << 3 | 2, len(content)]) + content


def program(path: Path, operator: str) -> Path:
    """A program of one operator, as JSON or as protobuf, with weights that are none."""
    path.with_suffix(".pdiparams").write_bytes(b"")
    if path.suffix == ".json":
        block = {"#": "block_0", "ops": [{"#": "1.relu"}, {"#": f"1.{operator}"}]}
        told = {"base_code": {"magic": "pir"}, "program": {"regions": [{"#": "region_0", "blocks": [block]}]}}
        path.write_text(json.dumps(told, separators=(",", ":")))
    else:
        inner = field(4, field(3, b"relu")) + field(4, field(1, b"x") + field(3, operator.encode()))
        path.write_bytes(field(1, b"\x08\x00" + inner) + b"\x20\x01")
    return path


@pytest.mark.parametrize("name", ["m.json", "m.pdmodel"])
@pytest.mark.parametrize("operator", ["py_func", "save_combine", "load", "print", "run_program", "tensorrt_engine"])
def test_operators_that_could_do_more_than_compute_are_refused(tmp_path: Path, name: str, operator: str) -> None:
    with pytest.raises(Refused, match=operator):
        convert(program(tmp_path / name, operator), tmp_path / "out.onnx")


@pytest.mark.parametrize("name", ["m.json", "m.pdmodel"])
def test_plain_operators_pass(tmp_path: Path, name: str) -> None:
    refuse_unsafe(program(tmp_path / name, "conv2d"))


def test_missing_weights_and_damaged_programs_are_told(tmp_path: Path) -> None:
    path = program(tmp_path / "m.pdmodel", "conv2d")
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ModelError, match="not readable as a PaddlePaddle program"):
        convert(path, tmp_path / "out.onnx")
    path.with_suffix(".pdiparams").unlink()
    with pytest.raises(ModelError, match=r"put m\.pdiparams into the same folder"):
        convert(path, tmp_path / "out.onnx")


def test_other_json_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text('{"learner": {}}')
    found = find(tmp_path / "m.json")
    assert found is not None
    assert found.name == "XGBoost model"


def test_a_network_converts(tmp_path: Path) -> None:
    pytest.importorskip("paddle2onnx")
    paddle = pytest.importorskip("paddle")
    paddle.seed(0)
    network = paddle.nn.Sequential(
        paddle.nn.Conv2D(3, 4, 3), paddle.nn.ReLU(), paddle.nn.Flatten(), paddle.nn.Linear(144, 5)
    )
    network.eval()
    paddle.jit.save(network, str(tmp_path / "m"), input_spec=[paddle.static.InputSpec([None, 3, 8, 8], "float32")])
    summary = convert(tmp_path / "m.json", tmp_path / "out.onnx")
    assert summary.facts.input.shape == (None, 3, 8, 8)
    inputs = np.random.default_rng(0).random((5, 3, 8, 8), dtype=np.float32)
    expected = network(paddle.to_tensor(inputs)).numpy()
    np.testing.assert_allclose(open_model(tmp_path / "out.onnx").run(inputs), expected, atol=1e-5)
