import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnxray.converters import ModelError, open_model
from onnxray.converters.runtime import cast

Build = Callable[..., Path]


@pytest.mark.parametrize("batch", [1, 3, 64])
@pytest.mark.parametrize("rows", [0, 1, 5, 130])
def test_a_fixed_batch_is_fed_and_filled(build: Build, batch: int, rows: int) -> None:
    x = np.random.default_rng(0).standard_normal((rows, 4), dtype=np.float32)
    text = "(float[{0},4] x) => (float[{0},3] y) {{ a = MatMul(x, w)  y = Relu(a) }}"
    free = open_model(build(text.format("N"), name="free.onnx", w=(4, 3))).run(x)
    fixed = open_model(build(text.format(batch), w=(4, 3))).run(x)
    assert fixed.shape == (rows, 3)
    np.testing.assert_allclose(fixed, free, atol=1e-6)


def test_many_rows_of_a_free_batch_keep_their_order(build: Build) -> None:
    x = np.arange(2 * 700, dtype=np.float32).reshape(700, 2)
    model = open_model(build("(float[N,2] x) => (float[N,2] y) { y = Identity(x) }"))
    np.testing.assert_array_equal(model.run(x), x)
    np.testing.assert_array_equal(model.predict(x), np.ones(700))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int64", "float16", "double"])
def test_inputs_are_cast_to_what_the_file_takes(build: Build, dtype: str) -> None:
    path = build(f"({dtype}[N,2] x) => (float[N,2] y) {{ y = Cast<to = 1>(x) }}")
    x = np.array([[0.0, 1.75], [100.0, -2.25]], np.float32)
    rounded = {"uint8": [[0, 2], [100, 0]], "int8": [[0, 2], [100, -2]], "int64": [[0, 2], [100, -2]]}
    np.testing.assert_array_equal(open_model(path).run(x), rounded.get(dtype, x.tolist()))


@given(st.floats(allow_nan=False), st.sampled_from(["uint8", "int8", "uint16", "int32", "int64", "uint64"]))
def test_casting_to_integers_never_wraps(value: float, dtype: str) -> None:
    got, limits = int(cast(np.array([value]), dtype)[0]), np.iinfo(dtype)
    if limits.min <= value <= limits.max and abs(value) <= 2**53:
        assert abs(got - value) <= 0.5
    else:
        assert got in (limits.min, limits.max, -(2**53), 2**53)


def test_wrong_shapes_are_named(linear: Path) -> None:
    with pytest.raises(ModelError, match=r"expected inputs of shape \(\?, 1, 4, 4\), got \(2, 4, 4, 1\)"):
        open_model(linear).run(np.zeros((2, 4, 4, 1)))


def test_a_file_that_lies_about_its_classes(build: Build) -> None:
    model = open_model(build("(float[N,4] x) => (float[N,7] y) { y = MatMul(x, w) }", w=(4, 3)))
    with pytest.raises(ModelError, match=r"model\.onnx: "):
        model.run(np.zeros((2, 4)))


def test_rows_that_vanish_are_an_error(build: Build) -> None:
    model = open_model(build("(float[N,4] x) => (float[M,4] y) { y = ReduceMean<axes = [0]>(x) }"))
    with pytest.raises(ModelError, match="expected 2 rows of scores"):
        model.run(np.zeros((2, 4)))


def test_what_onnxruntime_refuses_names_the_file(build: Build) -> None:
    path = build("(float[N,4] x) => (float[N,3] y) { y = MatMul(x, w) }", w=(5, 3))
    with pytest.raises(ModelError, match=r"model\.onnx: onnxruntime cannot load it: ") as caught:
        open_model(path).run(np.zeros((1, 4)))
    assert "\n" not in str(caught.value)


def test_a_custom_operator_is_named_with_its_domain(build: Build) -> None:
    path = build("(float[N,3] x) => (float[N,3] y) { y = Relu(x) }")
    model = onnx.load(path)
    model.graph.node[0].domain, model.graph.node[0].op_type = "my.kernels-2", "Fused"
    model.opset_import.add(domain="my.kernels-2", version=1)
    onnx.save(model, path)
    words = r"cannot load it: it has no operator Fused of the domain my\.kernels-2, .* export the model with ONNX's own"
    with pytest.raises(ModelError, match=words):
        _ = open_model(path).provider


def test_without_a_device_the_provider_is_the_cpu(linear: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxray.converters.runtime._cuda_devices", lambda: 0)
    assert open_model(linear).provider == "CPUExecutionProvider"


def test_onnxruntime_is_told_to_send_and_keep_nothing(tmp_path: Path) -> None:
    code = "import onnxray.converters.runtime, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"} | {"HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
    assert not list(tmp_path.rglob("*onnxruntime*"))
