from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, numpy_helper
from onnxray.converters import ModelError, open_model

Build = Callable[..., Path]
CHAIN = "(float[N,4] x) => (float[N,3] y) { a = MatMul(x, w)  b = Relu(a)  y = Add(b, c) }"
X = np.random.default_rng(1).standard_normal((5, 4), dtype=np.float32)


def change(path: Path, edit: Callable[[ModelProto], object]) -> Path:
    model = onnx.load(path)
    edit(model)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_truncated_file(linear: Path, share: float) -> None:
    content = linear.read_bytes()
    linear.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ModelError, match="truncated or not ONNX"):
        open_model(linear)


@given(st.binary(min_size=1, max_size=300))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_bytes_never_escape_as_another_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "random.onnx").write_bytes(content)
    with pytest.raises(ModelError):
        open_model(tmp_path / "random.onnx")


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_bytes_open_or_give_one_line(linear: Path, damage: list[tuple[int, int]]) -> None:
    content = bytearray(linear.read_bytes())
    for place, value in damage:
        content[place % len(content)] = value
    damaged = linear.with_name("damaged.onnx")
    damaged.write_bytes(content)
    try:
        outcome = repr(open_model(damaged))
    except ModelError as error:
        outcome = str(error)
    assert outcome.removeprefix("Model('").startswith(str(damaged))
    assert "\n" not in outcome


def test_a_message_without_nodes_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "hollow.onnx"
    path.write_bytes(ModelProto(ir_version=8).SerializeToString())
    with pytest.raises(ModelError, match="with nodes and outputs"):
        open_model(path)


def test_invalid_onnx_says_what_the_checker_says(linear: Path) -> None:
    change(linear, lambda model: model.ClearField("opset_import"))
    with pytest.raises(ModelError, match=r"not valid ONNX: .*opset"):
        open_model(linear)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_nan_in_weights_names_the_tensor(build: Build, dtype: type[np.floating]) -> None:
    weights = np.ones((4, 3), dtype)
    weights[2, 1] = np.nan
    with pytest.raises(ModelError, match=r"weights contain NaN \(tensor 'w'\)"):
        open_model(build(CHAIN, w=weights, c=(3,)))


def test_infinity_is_refused_where_it_multiplies_only(build: Build) -> None:
    endless = np.full(3, -np.inf, np.float32)
    assert open_model(build(CHAIN, w=(4, 3), c=endless)).classes == 3  # as in an attention mask
    with pytest.raises(ModelError, match=r"infinite values \(tensor 'w'\)"):
        open_model(build(CHAIN, w=np.full((4, 3), np.inf, np.float32), c=(3,)))


@pytest.mark.parametrize("dims", [[10**5, 10**5], [4, 4], [-1, 12]])
def test_a_tensor_whose_bytes_do_not_fit_its_shape(build: Build, dims: list[int]) -> None:
    path = change(
        build(CHAIN, w=(4, 3), c=(3,)), lambda model: model.graph.initializer[0].dims.__setitem__(slice(2), dims)
    )
    with pytest.raises(ModelError, match="tensor 'w' does not fit its declared shape"):
        open_model(path)


def test_names_from_the_file_stay_on_one_line(build: Build) -> None:
    bad = numpy_helper.from_array(np.full(3, np.nan, np.float32), "line\nbreak \x1b[31m red")
    path = change(build(CHAIN, w=(4, 3), c=(3,)), lambda model: model.graph.initializer.append(bad))
    with pytest.raises(ModelError, match=r"'line break \[31m red'"):
        open_model(path)


def test_nan_in_a_constant_node_is_found(linear: Path) -> None:
    tensor = TensorProto(data_type=TensorProto.FLOAT, dims=[1], float_data=[float("nan")], name="k")
    node = onnx.helper.make_node("Constant", [], ["unused"], value=tensor)
    with pytest.raises(ModelError, match=r"NaN \(tensor 'k'\)"):
        open_model(change(linear, lambda model: model.graph.node.append(node)))


def test_nodes_out_of_order_run_and_convert(build: Build) -> None:
    expected = open_model(build(CHAIN, w=(4, 3), c=(3,))).run(X)
    shuffled = change(build(CHAIN, w=(4, 3), c=(3,)), lambda model: model.graph.node.sort(key=lambda n: n.op_type))
    assert [node.op_type for node in onnx.load(shuffled).graph.node] == ["Add", "MatMul", "Relu"]
    model = open_model(shuffled)
    np.testing.assert_array_equal(model.run(X), expected)
    assert model.build_twin(X).agreement == 1


def test_a_cycle_is_refused(build: Build) -> None:
    path = build("(float[N,4] x) => (float[N,4] y) { a = Add(x, y)  y = Relu(a) }")
    with pytest.raises(ModelError, match="not valid ONNX"):
        open_model(path)
