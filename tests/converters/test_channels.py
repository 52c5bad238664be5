"""Channels switched off by editing weights: all kinds of layers, and those that must be left alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnxray.converters import open_model
from onnxray.converters.channels import Layers, find_layers
from onnxray.converters.edited import activations, run_edited, weight_values

RNG = np.random.default_rng(0)


def built(path: Path, nodes: Sequence[NodeProto], weights: dict[str, NDArray[Any]], shape: Sequence[int | str]) -> Path:
    graph = helper.make_graph(
        list(nodes), "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def floats(*shape: int) -> NDArray[np.float32]:
    return RNG.normal(size=shape).astype(np.float32)


HEAD = [helper.make_node("GlobalAveragePool", ["m"], ["p"]), helper.make_node("Flatten", ["p"], ["f"])]
HEAD += [helper.make_node("Gemm", ["f", "v"], ["y"])]


def normalised(path: Path) -> Path:
    """Conv without a bias, batch normalisation, Relu."""
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"])]
    nodes += [helper.make_node("BatchNormalization", ["c", "s", "b", "mean", "var"], ["n"])]
    nodes += [helper.make_node("Relu", ["n"], ["m"]), *HEAD]
    weights: dict[str, NDArray[Any]] = {
        "w": floats(4, 2, 3, 3),
        "s": floats(4),
        "b": floats(4),
        "mean": floats(4),
        "var": floats(4) ** 2 + 1,
    }
    return built(path, nodes, {**weights, "v": floats(4, 3)}, ["N", 2, 6, 6])


def quantised(path: Path) -> Path:
    """A convolution whose weights are int8 with a scale and zero point of their own for each channel."""
    nodes = [helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["w"], axis=0)]
    nodes += [helper.make_node("Conv", ["x", "w", "b"], ["c"]), helper.make_node("Relu", ["c"], ["m"]), *HEAD]
    weights: dict[str, NDArray[Any]] = {
        "q": RNG.integers(-90, 90, (4, 2, 3, 3)).astype(np.int8),
        "scale": np.full(4, 0.02, np.float32),
    }
    weights |= {"zero": np.array([3, -2, 0, 7], np.int8), "b": floats(4), "v": floats(4, 3)}
    return built(path, nodes, weights, ["N", 2, 6, 6])


def transposed(path: Path) -> Path:
    """A matrix product with a transposed weight, and its bias in an Add."""
    nodes = [helper.make_node("Transpose", ["t"], ["w"], perm=[1, 0]), helper.make_node("MatMul", ["x", "w"], ["h"])]
    nodes += [helper.make_node("Add", ["h", "b"], ["a"]), helper.make_node("Relu", ["a"], ["m"])]
    nodes += [helper.make_node("Gemm", ["m", "v"], ["y"])]
    return built(path, nodes, {"t": floats(5, 4), "b": floats(5), "v": floats(5, 3)}, ["N", 4])


@pytest.mark.parametrize("make", [normalised, quantised, transposed])
def test_a_cleared_channel_is_zero_and_the_others_are_as_before(make: Any, tmp_path: Path) -> None:
    model = open_model(make(tmp_path / "m.onnx"))
    (layer,) = find_layers(model.graph, "y").found
    inputs = floats(8, *(size or 1 for size in model.facts.input.shape[1:]))
    edits = layer.cleared(weight_values(model), [1, 3])
    before = activations(model, ["m"], inputs)["m"]
    onnx.save(edited(model.graph, edits), tmp_path / "edited.onnx")
    after = activations(open_model(tmp_path / "edited.onnx"), ["m"], inputs)["m"]
    others = [c for c in range(layer.channels) if c not in (1, 3)]
    assert layer.active == "m"
    assert before[:, [1, 3]].any()
    assert not after[:, [1, 3]].any()
    np.testing.assert_array_equal(after[:, others], before[:, others])
    np.testing.assert_allclose(
        run_edited(model, edits).run(inputs), open_model(tmp_path / "edited.onnx").run(inputs), rtol=1e-5
    )


def edited(model: onnx.ModelProto, edits: dict[str, NDArray[Any]]) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for tensor in copy.graph.initializer:
        if tensor.name in edits:
            tensor.CopyFrom(numpy_helper.from_array(edits[tensor.name], tensor.name))
    return copy


def test_scale_and_zero_point_are_kept(tmp_path: Path) -> None:
    model = open_model(quantised(tmp_path / "m.onnx"))
    (layer,) = find_layers(model.graph, "y").found
    edits = layer.cleared(weight_values(model), [3])
    assert set(edits) == {"q", "b"}
    assert (edits["q"][3] == 7).all()


def shared(tmp_path: Path) -> Layers:
    """Two convolutions with one weight, then one of its own."""
    nodes = [helper.make_node("Conv", ["x", "w"], ["a"]), helper.make_node("Conv", ["a", "w"], ["b"])]
    nodes += [helper.make_node("Conv", ["b", "own"], ["m"]), *HEAD]
    weights = {"w": floats(2, 2, 1, 1), "own": floats(4, 2, 1, 1), "v": floats(4, 3)}
    model = open_model(built(tmp_path / "m.onnx", nodes, weights, ["N", 2, 6, 6]))
    return find_layers(model.graph, "y")


def test_a_shared_weight_is_refused_with_a_reason(tmp_path: Path) -> None:
    layers = shared(tmp_path)
    assert [layer.output for layer in layers.found] == ["m"]
    assert [name for name, _ in layers.refused] == ["a", "b"]
    assert all("another layer" in why for _, why in layers.refused)


def test_the_classes_themselves_are_no_units(tmp_path: Path) -> None:
    nodes = [helper.make_node("Gemm", ["x", "v"], ["z"]), helper.make_node("Softmax", ["z"], ["y"])]
    model = open_model(built(tmp_path / "m.onnx", nodes, {"v": floats(4, 3)}, ["N", 4]))
    assert find_layers(model.graph, "y") == Layers((), ())
