"""SavedModel folders and TensorFlow Lite files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnxray.converters import ModelError, open_model
from onnxray.converters.sources import Refused, convert, find


def test_a_python_function_in_a_graph_is_refused_without_tensorflow(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "saved_model.pb").write_bytes(b"\x0a\x12\x0bEagerPyFunc")
    with pytest.raises(Refused, match="PyFunc"):
        convert(tmp_path / "m", tmp_path / "out.onnx")


def test_formats_are_told_by_their_content(tmp_path: Path) -> None:
    (tmp_path / "m.bin").write_bytes(b"\x20\x00\x00\x00TFL3")
    found = find(tmp_path / "m.bin")
    assert found is not None
    assert found.name == "TensorFlow Lite model"
    assert find(tmp_path) is None


def saved(folder: Path, function: Any, tf: Any) -> Path:
    module = tf.Module()
    module.weight = tf.Variable(np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32))
    traced = tf.function(
        lambda x: {"y": function(x, module)}, input_signature=[tf.TensorSpec((None, 6), tf.float32, "x")]
    )
    module.call = traced
    tf.saved_model.save(module, str(folder), signatures=traced)
    return folder


def test_a_saved_model_converts(tmp_path: Path) -> None:
    pytest.importorskip("tf2onnx")
    tf = pytest.importorskip("tensorflow")
    path = saved(tmp_path / "m", lambda x, module: tf.tanh(x) @ module.weight, tf)
    summary = convert(path, tmp_path / "out.onnx")
    assert (summary.facts.input.shape, summary.facts.classes) == ((None, 6), 3)
    inputs = np.random.default_rng(1).standard_normal((5, 6)).astype(np.float32)
    expected = tf.saved_model.load(str(path)).signatures["serving_default"](x=tf.constant(inputs))["y"]
    np.testing.assert_allclose(open_model(tmp_path / "out.onnx").run(inputs), expected, atol=1e-5)


def test_operators_that_touch_files_are_refused_unrun(tmp_path: Path) -> None:
    pytest.importorskip("tf2onnx")
    tf = pytest.importorskip("tensorflow")
    mark = tmp_path / "ran"

    def writes(x: Any, module: Any) -> Any:
        tf.io.write_file(str(mark), "x")
        return x @ module.weight

    with pytest.raises(Refused, match="WriteFile"):
        convert(saved(tmp_path / "m", writes, tf), tmp_path / "out.onnx")
    assert not mark.exists()


def test_python_functions_that_tensorflow_wrote_are_refused(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")

    def calls(x: Any, module: Any) -> Any:
        return tf.ensure_shape(tf.numpy_function(np.tanh, [x], tf.float32), (None, 6)) @ module.weight

    with pytest.raises(Refused, match="PyFunc"):
        convert(saved(tmp_path / "m", calls, tf), tmp_path / "out.onnx")


def test_damaged_folders_and_files_give_one_line(tmp_path: Path) -> None:
    pytest.importorskip("tf2onnx")
    pytest.importorskip("tensorflow")
    (tmp_path / "saved_model.pb").write_bytes(b"\xff\xff")
    (tmp_path / "m.tflite").write_bytes(b"\x20\x00\x00\x00TFL3")
    for path in (tmp_path, tmp_path / "m.tflite"):
        with pytest.raises(ModelError) as caught:
            convert(path, tmp_path / "out.onnx")
        assert "\n" not in str(caught.value)


def lite(tf: Any, function: Any, *, custom: bool = False) -> bytes:
    weight = tf.constant(np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32))
    traced = tf.function(lambda x: function(x) @ weight, input_signature=[tf.TensorSpec((1, 6), tf.float32)])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced.get_concrete_function()])
    if custom:
        converter.allow_custom_ops = True
    return bytes(converter.convert())


def test_tensorflow_lite_converts_with_its_fixed_batch(tmp_path: Path) -> None:
    pytest.importorskip("tf2onnx")
    tf = pytest.importorskip("tensorflow")
    (tmp_path / "m.tflite").write_bytes(lite(tf, tf.nn.relu))
    summary = convert(tmp_path / "m.tflite", tmp_path / "out.onnx")
    assert summary.facts.input.shape == (1, 6)
    assert any("batch axis is fixed" in note for note in summary.notes)


def test_operators_from_outside_tensorflow_lite_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("tf2onnx")
    tf = pytest.importorskip("tensorflow")
    (tmp_path / "m.tflite").write_bytes(lite(tf, tf.math.erfinv, custom=True))
    with pytest.raises(Refused, match="Erfinv"):
        convert(tmp_path / "m.tflite", tmp_path / "out.onnx")
