"""The rows of the last layer, however the file writes them."""

from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnxray.converters.last_layer import last_layer

ROWS = np.random.default_rng(0).integers(-9, 10, (4, 6)).astype(np.float32)


def model(nodes: list[Any], constants: dict[str, Any], shape: tuple[int, ...] = (6,)) -> ModelProto:
    """A graph from x to y."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, *shape])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph([helper.make_node(*n[:3], **n[3]) for n in nodes], "g", [x], [y], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


BIAS = np.ones(4, np.float32)
CASES: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "Gemm": ([("Gemm", ["x", "w", "b"], ["y"], {})], {"w": ROWS.T, "b": BIAS}),
    "Gemm, transposed": ([("Gemm", ["x", "w"], ["y"], {"transB": 1})], {"w": ROWS}),
    "MatMul and bias before a softmax": (
        [("MatMul", ["x", "w"], ["m"], {}), ("Add", ["b", "m"], ["z"], {}), ("Softmax", ["z"], ["y"], {})],
        {"w": ROWS.T, "b": BIAS},
    ),
    "a temperature": (
        [("MatMul", ["x", "w"], ["m"], {}), ("Div", ["m", "t"], ["y"], {})],
        {"w": ROWS.T, "t": np.float32(3)},
    ),
    "transposed in the graph": (
        [("Transpose", ["w"], ["v"], {"perm": [1, 0]}), ("MatMul", ["x", "v"], ["y"], {})],
        {"w": ROWS},
    ),
    "quantised by row": (
        [("DequantizeLinear", ["w", "s", "o"], ["v"], {"axis": 0}), ("Gemm", ["x", "v"], ["y"], {"transB": 1})],
        {
            "w": (ROWS + np.arange(4)[:, None]).astype(np.int8),
            "s": np.ones(4, np.float32),
            "o": np.arange(4).astype(np.int8),
        },
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_rows_are_those_of_the_classes(name: str) -> None:
    nodes, constants = CASES[name]
    found = last_layer(model(nodes, constants), "y")
    assert found is not None
    np.testing.assert_allclose(found, ROWS)


def test_a_convolution_of_one_pixel_has_rows_too() -> None:
    nodes: list[Any] = [("Conv", ["x", "w"], ["c"], {}), ("Flatten", ["c"], ["y"], {})]
    found = last_layer(model(nodes, {"w": ROWS[:, :, None, None]}, (6, 1, 1)), "y")
    assert found is not None
    np.testing.assert_allclose(found, ROWS)


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        pytest.param([("Relu", ["x"], ["y"], {})], {}, id="no layer"),
        pytest.param([("Identity", ["x"], ["y"], {})], {}, id="the input itself"),
        pytest.param([("MatMul", ["x", "x"], ["y"], {})], {}, id="no constant"),
        pytest.param([("Add", ["x", "x"], ["y"], {})], {}, id="two ways"),
        pytest.param(
            [("MatMul", ["x", "w"], ["m"], {}), ("Mul", ["m", "t"], ["y"], {})],
            {"w": ROWS.T, "t": -np.ones(1, np.float32)},
            id="negated",
        ),
    ],
)
def test_what_has_no_such_layer_has_no_rows(nodes: list[Any], constants: dict[str, Any]) -> None:
    assert last_layer(model(nodes, constants), "y") is None
