from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnxray.converters import ModelError, open_model
from onnxray.converters.sources._jax import from_jax


def test_a_function_converts_with_a_free_batch_axis(tmp_path: Path) -> None:
    pytest.importorskip("jax2onnx")
    jax = pytest.importorskip("jax")
    weight = jax.random.normal(jax.random.key(0), (8, 3))

    def classify(x: Any) -> Any:
        return jax.nn.relu(x) @ weight

    (tmp_path / "m.onnx").write_bytes(from_jax(classify, (1, 8)).SerializeToString())
    model = open_model(tmp_path / "m.onnx")
    assert model.facts.input.shape == (None, 8)
    inputs = np.random.default_rng(0).standard_normal((5, 8)).astype(np.float32)
    np.testing.assert_allclose(model.run(inputs), classify(inputs), atol=1e-5)


def test_a_shape_without_batch_axis_is_told() -> None:
    with pytest.raises(ModelError, match="with the batch axis"):
        from_jax(lambda x: x, (8,))


def test_a_function_that_fails_is_told() -> None:
    pytest.importorskip("jax2onnx")
    with pytest.raises(ModelError, match="jax2onnx cannot convert it"):
        from_jax(lambda x: x @ np.zeros((3, 3), np.float32), (1, 8))
