"""Only the bytes of the edited weights differ, however an exporter stored them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper
from onnxray.converters import ModelError, open_model, patch_weights, save
from onnxray.converters.wire import Field, Replacement, WireError, fields, splice, varint

RNG = np.random.default_rng(0)
W = RNG.standard_normal((16, 3)).astype(np.float32)
X = RNG.random((5, 1, 4, 4), dtype=np.float32)


def model_of(*initializers: TensorProto, nodes: Any = (), doc: str = "") -> ModelProto:
    """A classifier that flattens and multiplies with "w"."""
    graph = helper.make_graph(
        [*nodes, helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
        list(initializers),
        doc_string=doc,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def typed(name: str, kind: int, values: NDArray[Any]) -> TensorProto:
    """A tensor in its own typed field, not in raw_data."""
    return helper.make_tensor(name, kind, values.shape, values.flatten())


def written(model: ModelProto, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def differing(one: bytes, two: bytes) -> list[int]:
    assert len(one) == len(two)
    return [int(i) for i in np.flatnonzero(np.frombuffer(one, np.uint8) != np.frombuffer(two, np.uint8))]


def weight(path: Path, name: str = "w") -> NDArray[Any]:
    model = onnx.load(path)
    return numpy_helper.to_array(next(t for t in model.graph.initializer if t.name == name))


@pytest.mark.parametrize("tensor", [numpy_helper.from_array(W, "w"), typed("w", TensorProto.FLOAT, W)])
def test_one_element_changes_its_four_bytes_and_the_scores(tmp_path: Path, tensor: TensorProto) -> None:
    source, out = written(model_of(tensor), tmp_path / "a.onnx"), tmp_path / "b.onnx"
    before = source.read_bytes()
    new = W.copy()
    new[3, 1] = 7.5
    summary = patch_weights(source, {"w": new}, out)
    assert summary.elements == {"w": 1}
    assert summary.path == out
    changed = differing(before, out.read_bytes())
    assert 1 <= len(changed) <= 4
    assert changed[-1] - changed[0] < 4
    assert source.read_bytes() == before
    np.testing.assert_array_equal(weight(out), new)
    np.testing.assert_allclose(open_model(out).run(X), X.reshape(5, 16) @ new, rtol=1e-5)


KINDS = [
    TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.FLOAT8E4M3FN,
    TensorProto.INT8, TensorProto.UINT8, TensorProto.INT16, TensorProto.UINT16, TensorProto.INT32, TensorProto.UINT32,
    TensorProto.INT64, TensorProto.UINT64, TensorProto.INT4, TensorProto.UINT4,
]  # fmt: skip


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("kind", KINDS, ids=TensorProto.DataType.Name)
def test_every_type_is_written_as_the_library_reads_it(tmp_path: Path, kind: int, raw: bool) -> None:
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    signed = dtype.kind == "f" or not dtype.name.startswith("u")
    old = RNG.integers(-7 if signed else 0, 7, (5, 3)).astype(dtype)
    new = old.copy()
    new[2, 1], new[4, 2] = (-5, -1) if signed else (6, 5)
    weights = [numpy_helper.from_array(W, "w"), numpy_helper.from_array(old, "q") if raw else typed("q", kind, old)]
    source, out = written(model_of(*weights, doc="z" * 99), tmp_path / "a.onnx"), tmp_path / "b.onnx"
    expected = ModelProto.FromString(source.read_bytes())
    expected.graph.initializer[1].CopyFrom(numpy_helper.from_array(new, "q") if raw else typed("q", kind, new))
    patch_weights(source, {"q": new}, out)
    assert out.read_bytes() == expected.SerializeToString()
    patch_weights(out, {"q": old}, tmp_path / "c.onnx")
    assert (tmp_path / "c.onnx").read_bytes() == source.read_bytes()


def test_longer_varints_grow_every_length_around_them(tmp_path: Path) -> None:
    old = np.zeros(100, np.int64)
    source = written(model_of(numpy_helper.from_array(W, "w"), typed("q", TensorProto.INT64, old)), tmp_path / "a.onnx")
    out = tmp_path / "b.onnx"
    new = np.full(100, -1)
    patch_weights(source, {"q": new}, out)
    assert len(out.read_bytes()) == len(source.read_bytes()) + 900 + 2  # two lengths need a second byte
    np.testing.assert_array_equal(weight(out, "q"), new)
    np.testing.assert_array_equal(weight(out), W)


def test_constant_nodes_and_weights_of_subgraphs(tmp_path: Path) -> None:
    inner = GraphProto(name="then", initializer=[numpy_helper.from_array(np.array([1, 2, 3], np.float32), "inside")])
    inner.node.append(helper.make_node("Identity", ["inside"], ["z"]))
    nodes = [
        helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(W)),
        helper.make_node("If", ["c"], ["unused"], then_branch=inner, else_branch=GraphProto(name="else")),
    ]
    source = written(model_of(nodes=nodes), tmp_path / "a.onnx")
    new = W.copy()
    new[0, 0] = 0.5
    patch_weights(source, {"w": new, "inside": np.array([1, 2, 4], np.float32)}, tmp_path / "b.onnx")
    result = onnx.load(tmp_path / "b.onnx").graph.node
    np.testing.assert_array_equal(numpy_helper.to_array(result[0].attribute[0].t), new)
    body = next(a.g for a in result[1].attribute if a.name == "then_branch")
    np.testing.assert_array_equal(numpy_helper.to_array(body.initializer[0]), [1, 2, 4])
    assert len(differing(source.read_bytes(), (tmp_path / "b.onnx").read_bytes())) <= 8


def test_unpacked_numbers_and_overlong_lengths_keep_their_form(tmp_path: Path) -> None:
    numbers = b"".join(bytes([TensorProto.INT64_DATA_FIELD_NUMBER << 3]) + varint(v) for v in (1, 300, 2))
    tensor = b"\x08\x03\x10\x07" + numbers + b"\x42\x01q"  # dims, data_type, int64_data, name
    graph = model_of(numpy_helper.from_array(W, "w")).graph.SerializeToString()
    graph += b"\x2a" + bytes([len(tensor) | 0x80, 0x00]) + tensor  # its length in two bytes where one would do
    header = ModelProto(ir_version=8, opset_import=[helper.make_opsetid("", 17)]).SerializeToString()
    source = tmp_path / "a.onnx"
    source.write_bytes(header + b"\x3a" + varint(len(graph)) + graph)
    out = tmp_path / "b.onnx"
    patch_weights(source, {"q": np.array([1, 301, 2], np.int64)}, out)
    assert len(differing(source.read_bytes(), out.read_bytes())) == 1
    patch_weights(source, {"q": np.array([1, 300, 2], np.int64)}, out)
    assert out.read_bytes() == source.read_bytes()
    patch_weights(source, {"q": np.array([1, 3, 2], np.int64)}, out)
    np.testing.assert_array_equal(weight(out, "q"), [1, 3, 2])


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ({"nobody": W}, "no initializer and no Constant node of that name"),
        ({"w": W[1:]}, r"expected the shape \(16, 3\), got \(15, 3\)"),
        ({"w": W.astype(np.float64) + 1e-12}, "float32 holds exactly"),
        ({"w": np.full_like(W, np.nan)}, "NaN or infinity"),
        ({"w": np.full_like(W, np.inf)}, "NaN or infinity"),
        ({"h": np.array([70000.0, 0], np.float32)}, "float16 holds exactly"),
        ({"q": np.array([0.5, 0], np.float32)}, "int8 holds exactly"),
        ({"q": np.array([128, 0], np.int64)}, "int8 holds exactly"),
        ({"q": np.array(["a", "b"])}, "expected values of type int8"),
        ({"b": np.array([True, False])}, "truth values"),
        ({"twice": np.array([1], np.float32)}, "2 weights of that name"),
        ({"thin": np.array([1], np.float32)}, "sparse"),
    ],
)
def test_what_cannot_be_written_is_refused_and_nothing_is_left(
    tmp_path: Path, edits: dict[str, NDArray[Any]], words: str
) -> None:
    one = numpy_helper.from_array(np.array([0], np.float32), "twice")
    model = model_of(
        numpy_helper.from_array(W, "w"),
        numpy_helper.from_array(np.array([1, 2], np.float16), "h"),
        numpy_helper.from_array(np.array([1, 2], np.int8), "q"),
        numpy_helper.from_array(np.array([True, True]), "b"),
        one,
        one,
    )
    sparse = model.graph.sparse_initializer.add(dims=[4])
    sparse.values.CopyFrom(numpy_helper.from_array(np.array([1], np.float32), "thin"))
    sparse.indices.CopyFrom(numpy_helper.from_array(np.array([1], np.int64)))
    source = written(model, tmp_path / "a.onnx")
    with pytest.raises(ModelError, match=words) as caught:
        patch_weights(source, edits, tmp_path / "b.onnx")
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["a.onnx"]


def test_the_original_is_never_the_target(linear: Path) -> None:
    before = linear.read_bytes()
    link = linear.with_name("link.onnx")
    link.symlink_to(linear)
    for out in (linear, link):
        with pytest.raises(ModelError, match="is the original"):
            patch_weights(linear, {}, out)
    with pytest.raises(ModelError, match="cannot be written"):
        patch_weights(linear, {}, linear.parent / "nowhere" / "b.onnx")
    assert linear.read_bytes() == before


def test_save_refuses_a_file_that_has_changed(linear: Path) -> None:
    model, out = open_model(linear), linear.with_name("b.onnx")
    assert save(model, {"w": np.zeros((16, 3))}, out).elements == {"w": 48}
    assert not open_model(out).run(X).any()
    linear.write_bytes(linear.read_bytes() + b"\x32\x01z")  # a doc string
    with pytest.raises(ModelError, match="has changed"):
        save(model, {}, out)


def test_a_pickle_and_a_broken_file_are_refused(tmp_path: Path) -> None:
    for content, words in ((b"\x80\x04abc", "pickle"), (b"\x3a\x7f\x00\x01\x02", "not ONNX")):
        (tmp_path / "a.onnx").write_bytes(content)
        with pytest.raises(ModelError, match=words):
            patch_weights(tmp_path / "a.onnx", {}, tmp_path / "b.onnx")


@pytest.fixture
def outsourced(tmp_path: Path) -> Callable[..., Path]:
    """Return ``build(**{name: (array, offset)})``: a model with its weights in ``data/w.bin``, 8 spare bytes before."""

    def build(**weights: tuple[NDArray[Any], int]) -> Path:
        folder = tmp_path / "in"
        (folder / "data").mkdir(parents=True)
        data = bytearray(RNG.bytes(8))
        tensors = []
        for name, (array, offset) in weights.items():
            tensor = numpy_helper.from_array(array, name)
            data[offset:] = tensor.raw_data
            length = len(tensor.raw_data)
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (("location", "data/w.bin"), ("offset", str(offset)), ("length", str(length))):
                tensor.external_data.add(key=key, value=value)
            tensors.append(tensor)
        (folder / "data" / "w.bin").write_bytes(bytes(data))
        return written(model_of(*tensors), folder / "a.onnx")

    return build


def test_external_data_is_copied_and_patched(tmp_path: Path, outsourced: Callable[..., Path]) -> None:
    source = outsourced(w=(W, 8))
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / "b.onnx"
    new = W.copy()
    new[15, 2] = -3
    before = (source.parent / "data" / "w.bin").read_bytes()
    summary = patch_weights(source, {"w": new}, out)
    assert summary.external == (tmp_path / "out" / "data" / "w.bin",)
    assert out.read_bytes() == source.read_bytes()
    assert min(differing(before, summary.external[0].read_bytes())) >= 8 + 47 * 4
    assert (source.parent / "data" / "w.bin").read_bytes() == before
    np.testing.assert_array_equal(weight(out), new)
    assert save(open_model(source), {"w": new}, tmp_path / "out" / "c.onnx", max_bytes=10_000).elements == {"w": 1}
    with pytest.raises(ModelError, match="over the size limit"):
        patch_weights(source, {}, out, max_bytes=len(out.read_bytes()) + 20)


def test_external_data_is_never_overwritten(tmp_path: Path, outsourced: Callable[..., Path]) -> None:
    source = outsourced(w=(W, 8))
    before = (source.parent / "data" / "w.bin").read_bytes()
    with pytest.raises(ModelError, match="replace the original's"):
        patch_weights(source, {"w": W * 0}, source.with_name("b.onnx"))
    (tmp_path / "out" / "data").mkdir(parents=True)
    (tmp_path / "out" / "data" / "w.bin").write_bytes(b"another model's")
    with pytest.raises(ModelError, match="replace a file that is there"):
        patch_weights(source, {"w": W * 0}, tmp_path / "out" / "b.onnx")
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "data").symlink_to(tmp_path / "out")
    with pytest.raises(ModelError, match="behind a link out of the folder"):
        patch_weights(source, {"w": W * 0}, tmp_path / "evil" / "b.onnx")
    assert (source.parent / "data" / "w.bin").read_bytes() == before
    assert not [*tmp_path.rglob("b.onnx"), *tmp_path.rglob("*.part")]


def test_bytes_that_two_tensors_share_are_not_changed(tmp_path: Path, outsourced: Callable[..., Path]) -> None:
    source = outsourced(v=(W, 8), w=(W, 8))
    (tmp_path / "out").mkdir()
    with pytest.raises(ModelError, match="shares its bytes"):
        patch_weights(source, {"w": W * 0}, tmp_path / "out" / "b.onnx")
    patch_weights(source, {"w": W}, tmp_path / "out" / "b.onnx")


KIND = st.sampled_from([np.float32, np.float16, np.float64, np.int8, np.uint8, np.int32, np.int64])
SHAPE = arrays.array_shapes(max_dims=3, max_side=5)


@st.composite
def tensors(draw: st.DrawFn, name: str) -> TensorProto:
    dtype = np.dtype(draw(KIND))
    array = draw(arrays.arrays(dtype, draw(SHAPE)))
    if draw(st.booleans()):
        return numpy_helper.from_array(array, name)
    return typed(name, helper.np_dtype_to_tensor_dtype(dtype), array)


@st.composite
def graphs(draw: st.DrawFn, depth: int = 0, prefix: str = "t") -> GraphProto:
    """Initializers, Constant nodes, text in between, and graphs inside graphs."""
    graph = GraphProto(name=draw(st.text(max_size=4)), doc_string=draw(st.text(max_size=200)))
    for i in range(draw(st.integers(0, 3))):
        tensor = draw(tensors(f"{prefix}.{i}"))
        if draw(st.booleans()):
            graph.initializer.append(tensor)
        else:
            graph.node.append(helper.make_node("Constant", [], [tensor.name], value=tensor))
    if depth < 2 and draw(st.booleans()):
        graph.node.append(helper.make_node("Loop", ["a"], ["b"], body=draw(graphs(depth + 1, f"{prefix}.b"))))
    return graph


def named(graph: GraphProto) -> dict[str, TensorProto]:
    found = {t.name: t for t in graph.initializer}
    for node in graph.node:
        for attribute in node.attribute:
            found.update({node.output[0]: attribute.t} if attribute.HasField("t") else {})
            found.update(named(attribute.g) if attribute.HasField("g") else {})
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(graph=graphs(), data=st.data())
def test_random_graphs(tmp_path: Path, graph: GraphProto, data: st.DataObject) -> None:
    model = ModelProto(graph=graph, ir_version=8, producer_name="p" * 300, doc_string="\x00")
    source, out = written(model, tmp_path / "a.onnx"), tmp_path / "b.onnx"
    weights = {name: np.array(numpy_helper.to_array(t)) for name, t in named(graph).items()}
    patch_weights(source, weights, out)
    assert out.read_bytes() == source.read_bytes()
    if not weights:
        return
    name = data.draw(st.sampled_from(sorted(weights)))
    values = weights[name]
    index = data.draw(st.integers(0, values.size - 1))
    values.flat[index] = data.draw(st.integers(0, 127))
    expected = ModelProto.FromString(model.SerializeToString())
    tensor = named(expected.graph)[name]
    kind, raw = tensor.data_type, tensor.HasField("raw_data")
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name) if raw else typed(tensor.name, kind, values))
    patch_weights(source, {name: values}, out)
    assert out.read_bytes() == expected.SerializeToString()


@given(st.lists(st.integers(0, 2**64 - 1), max_size=8))
def test_varints_are_read_as_written(values: list[int]) -> None:
    content = b"".join(b"\x08" + varint(value) for value in values)
    found = list(fields(content, 0, len(content)))
    assert [content[f.start : f.end] for f in found] == [varint(value) for value in values]


@given(st.binary(max_size=60))
def test_foreign_bytes_give_fields_inside_the_message_or_an_error(content: bytes) -> None:
    try:
        found = list(fields(content, 0, len(content)))
    except WireError:
        return
    assert all(0 <= f.prefix <= f.start <= f.end <= len(content) for f in found)
    assert sum(f.end > f.start or f.kind == 2 for f in found) == len(found)


def test_a_splice_grows_nested_lengths() -> None:
    inner = b"\x0a\x03abc"
    content = b"\x0a" + varint(len(inner)) + inner
    outer = Field(1, 2, 1, 2, 7)
    middle = Field(1, 2, 3, 4, 7)
    grown = splice(content, [Replacement(4, 7, b"x" * 200)], [outer, middle, outer])
    (one,) = fields(grown, 0, len(grown))
    (two,) = fields(grown, one.start, one.end)
    assert grown[two.start : two.end] == b"x" * 200
