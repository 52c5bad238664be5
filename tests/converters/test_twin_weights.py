"""Every change in the twin is a change of named weights of the file, or is refused."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnxray.converters import TwinError, open_model, save
from onnxray.converters.to_torch import network_of
from onnxray.converters.twin import Twin
from onnxray.converters.weights import Weights, stored

RNG = np.random.default_rng(0)
X = RNG.random((9, 1, 4, 4), dtype=np.float32)
A = RNG.standard_normal((16, 3)).astype(np.float32)
Q = RNG.integers(-100, 100, (16, 3)).astype(np.int8)
Build = Callable[..., Path]


def twin_of(path: Path) -> Twin:
    model = open_model(path)
    model.build_twin(X)
    assert isinstance(model.torch, Twin)
    return model.torch


def graph(body: str) -> str:
    return f"(float[N,1,4,4] x) => (float[N,3] y) {{ f = Flatten(x)  {body} }}"


def test_the_weights_of_a_twin_have_the_files_names(build: Build) -> None:
    twin = twin_of(build(graph("m = MatMul(f, w)  y = Add(m, b)"), w=A, b=(3,)))
    assert set(twin.weights) == {"w", "b"}
    assert len(twin.weights) == 2
    np.testing.assert_array_equal(twin.weights["w"].numpy(), A)
    assert twin.changes() == {}
    with pytest.raises(KeyError):
        twin.weights["f"]


BODIES: dict[str, tuple[str, dict[str, NDArray[Any]]]] = {
    "plain": ("y = MatMul(f, w)", {"w": A}),
    "transposed": ("t = Transpose(w)  y = MatMul(f, t)", {"w": A.T.copy()}),
    "half": ("c = Cast<to=1>(w)  y = MatMul(f, c)", {"w": A.astype(np.float16)}),
    "int8": (  # with Mul, because onnxruntime fuses DequantizeLinear into a MatMul that rounds its inputs
        "c = DequantizeLinear(w, s, z)  h = Mul(c, k)  y = MatMul(f, h)",
        {"w": Q, "s": np.array(0.03, np.float32), "z": np.array(5, np.int8), "k": np.array(0.5, np.float32)},
    ),
    "scaled": ("c = Mul(w, s)  y = MatMul(f, c)", {"w": A, "s": np.array(0.3, np.float32)}),
}


@pytest.mark.parametrize("kind", BODIES)
def test_only_what_changed_differs_from_the_file(build: Build, kind: str) -> None:
    body, weights = BODIES[kind]
    path = build(graph(body), **weights)
    twin = twin_of(path)
    assert twin.changes() == {}
    form = twin.weights["w"]
    before = form.clone()
    form[2, 1] = 0
    changes = twin.changes()
    assert list(changes) == ["w"]
    new, old = changes["w"], weights["w"]
    assert new.dtype == old.dtype
    index = (1, 2) if kind == "transposed" else (2, 1)
    assert new[index] == (5 if kind == "int8" else 0)
    assert (new != old).sum() == 1
    predicted = twin.scores(X)
    model = open_model(path)
    save(model, changes, path.with_name("new.onnx"))
    np.testing.assert_allclose(open_model(path.with_name("new.onnx")).run(X), predicted, rtol=1e-4, atol=1e-5)
    form.copy_(before)
    assert twin.changes() == {}


def test_set_takes_the_files_form_and_rounds_to_what_it_holds(build: Build) -> None:
    body, weights = BODIES["int8"]
    twin = twin_of(build(graph(body), **weights))
    values = np.full((16, 3), 5.4)
    values[0, 0] = 1000
    twin.weights.set("w", values)
    new = twin.changes()["w"]
    assert new[0, 0] == 127
    assert (np.delete(new.flatten(), 0) == 5).all()
    np.testing.assert_allclose(twin.weights["w"].flatten()[1:], 0)
    with pytest.raises(TwinError, match=r"expected the shape \(16, 3\)"):
        twin.weights.set("w", values.T)
    with pytest.raises(KeyError):
        twin.weights.set("y", values)


SHARED = "t = Transpose(w)  m = MatMul(f, w)  n = MatMul(m, t)  y = MatMul(n, w)"


def test_a_weight_in_two_forms_changes_in_both_or_not_at_all(build: Build) -> None:
    path = build(graph(SHARED), w=A / 4)
    twin = twin_of(path)
    one, two = twin.weights.forms("w")
    assert {tuple(one.shape), tuple(two.shape)} == {(16, 3), (3, 16)}
    values = A / 4
    values[3] = 0
    twin.weights.set("w", values)
    np.testing.assert_array_equal(one.numpy().T, two.numpy())
    np.testing.assert_array_equal(twin.changes()["w"], values)
    predicted = twin.scores(X)
    save(open_model(path), twin.changes(), path.with_name("new.onnx"))
    np.testing.assert_allclose(open_model(path.with_name("new.onnx")).run(X), predicted, rtol=1e-4, atol=1e-5)
    two.data = two.data.clone()  # as on a device, where forms have memory of their own
    two[0, 0] = 9
    with pytest.raises(TwinError, match=r"'w' is used in 2 forms.*weights\.set"):
        twin.changes()


def test_a_change_that_no_weight_explains_is_refused(build: Build) -> None:
    twin = twin_of(build(graph("c = Concat<axis=1>(u, v)  y = MatMul(f, c)"), u=A[:, :1], v=A[:, 1:]))
    assert not set(twin.weights) & {"u", "v"}
    next(twin.network.parameters())[0, 0] = 9
    with pytest.raises(TwinError, match="is no weight of the file"):
        twin.changes()


def test_a_weight_that_went_elsewhere_too_is_refused(build: Build) -> None:
    twin = twin_of(build(graph("r = Relu(w)  m = MatMul(f, w)  n = MatMul(f, r)  y = Add(m, n)"), w=A))
    twin.weights["w"][0, 0] = 9
    with pytest.raises(TwinError, match="does not follow"):
        twin.changes()


def test_nan_and_values_beyond_the_type_are_refused(build: Build) -> None:
    body, weights = BODIES["half"]
    for value in (float("nan"), float("inf"), 1e6):
        twin = twin_of(build(graph(body), **weights))
        twin.weights["w"][0, 0] = value
        with pytest.raises(TwinError, match="float16 does not hold"):
            twin.changes()


def test_constants_of_inlined_functions_are_refused() -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "local": 1]>
    net (float[N,1,4,4] x) => (float[N,3] y) { f = Flatten(x)  m = MatMul(f, w)  y = local.shift(m) }
    <domain: "local", opset_import: ["": 17]>
    shift (a) => (b) { k = Constant<value = float[3] {1.0, 2.0, 3.0}>()  b = Add(a, k) }"""
    model = onnx.parser.parse_model(text)
    model.graph.initializer.append(numpy_helper.from_array(A, "w"))
    twin = twin_from(model)
    twin.weights["w"][0, 0] = 1
    assert list(twin.changes()) == ["w"]
    (name,) = set(twin.weights) - {"w"}
    twin.weights[name][0] = 9
    with pytest.raises(TwinError, match="the file has no weight of that name"):
        twin.changes()


def twin_from(model: ModelProto) -> Twin:
    from onnxray.converters.facts import TensorSpec
    from onnxray.converters.normalize import inline_functions, lift_constants

    spec = TensorSpec("x", (None, 1, 4, 4), "float32")
    return Twin(network_of(lift_constants(inline_functions(model))), spec, (), model)


def test_constant_nodes_and_subgraphs_have_their_weights() -> None:
    then = helper.make_graph(
        [
            helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(np.array([1, 2, 3], np.float32))),
            helper.make_node("Mul", ["k", "inside"], ["p"]),
            helper.make_node("Add", ["m", "p"], ["z"]),
        ],
        "then",
        [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.array([1, 1, 1], np.float32), "inside")],
    )
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> net (float[N,1,4,4] x) => (float[N,3] m) '
        "{ f = Flatten(x)  m = MatMul(f, w)  s = ReduceSum<keepdims=0>(m)  c = Greater(s, zero) }"
    )
    model.graph.initializer.extend(
        [numpy_helper.from_array(A, "w"), numpy_helper.from_array(np.array(0, np.float32), "zero")]
    )
    model.graph.node.append(helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=then))
    model.graph.output[0].name = "y"
    network = network_of(model)
    weights = Weights(network, model)
    assert "w" in weights
    assert set(weights.paths.values()) >= {"w", "k"}


def test_a_copy_of_a_twin_knows_its_own_weights(linear: Path) -> None:
    twin = twin_of(linear)
    twin.weights["w"][0, 0] = 5
    other = copy.deepcopy(twin)
    assert list(other.changes()) == ["w"]
    other.weights["w"][0, 0] = 6
    assert other.changes()["w"][0, 0] == 6
    assert twin.changes()["w"][0, 0] == 5
    assert dict(other.network.named_parameters())["w"][0, 0] == 6


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (TensorProto.INT8, [300.0, -300.0, 2.5, 3.5], [127, -128, 2, 4]),
        (TensorProto.UINT8, [300.0, -3.0, 2.5, 3.5], [255, 0, 2, 4]),
        (TensorProto.INT4, [9.0, -9.0, 0.4, -0.6], [7, -8, 0, -1]),
        (TensorProto.UINT4, [99.0, -9.0, 0.4, 0.6], [15, 0, 0, 1]),
        (TensorProto.INT64, [1e12, -1.0, 0.0, 0.6], [10**12, -1, 0, 1]),
        (TensorProto.FLOAT16, [0.5, -2.0, 0.0, 1.0], [0.5, -2.0, 0.0, 1.0]),
        (TensorProto.BFLOAT16, [0.5, -2.0, 0.0, 1.0], [0.5, -2.0, 0.0, 1.0]),
    ],
)
def test_values_as_the_file_holds_them(kind: int, values: list[float], expected: list[float]) -> None:
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    result = stored(np.array(values, np.float64), dtype)
    assert result.dtype == dtype
    assert result.astype(np.float64).tolist() == expected


def test_a_batch_of_updates_by_an_optimiser_can_be_written_back(linear: Path) -> None:
    twin = twin_of(linear)
    weight = twin.weights["w"]
    weight.requires_grad_(True)
    twin(torch.from_numpy(X)).square().sum().backward()
    torch.optim.SGD([weight], lr=0.01).step()
    weight.requires_grad_(False)
    changes = twin.changes()
    save(open_model(linear), changes, linear.with_name("new.onnx"))
    np.testing.assert_array_equal(changes["w"], weight.numpy())
    np.testing.assert_allclose(open_model(linear.with_name("new.onnx")).run(X), twin.scores(X), rtol=1e-4, atol=1e-5)
