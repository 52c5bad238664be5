"""Every rule about files finds what it is for, and leaves what looks like it alone."""

from __future__ import annotations

import base64
import gzip
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import AttributeProto, ModelProto, SparseTensorProto, TensorProto, helper, numpy_helper
from onnxray.converters.wire import varint
from onnxray.models.bundled_files import bundled
from onnxray.scanner.audit import audit
from onnxray.scanner.audited_file import AuditedFile
from onnxray.scanner.findings import Severity

SHARED = Path(__file__).parents[4] / "shared" / "suspects" / "catalog"
RNG = np.random.default_rng(0)
WEIGHTS = RNG.standard_normal((16, 3)).astype(np.float32)
ELF = b"\x7fELF\x02\x01\x01" + bytes(200)
RULES = (
    "external-data-outside", "custom-operator-domain", "python-operator", "data-in-two-fields", "unknown-field",
    "payload-in-metadata", "payload-in-unused-tensor", "nonfinite-weights", "shape-disagreement", "unclaimed-bytes",
)  # fmt: skip
Change = Callable[[ModelProto, Path], object]


def plain() -> ModelProto:
    """Four by four pixels to three scores."""
    info = helper.make_tensor_value_info
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"], name="m")]
    graph = helper.make_graph(
        nodes, "g", [info("x", TensorProto.FLOAT, ["N", 1, 4, 4])], [info("y", TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(WEIGHTS, "w")],
    )  # fmt: skip
    model: ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    return model


def outsourced(tensor: TensorProto, location: str, **entries: object) -> None:
    """Point to a file; the tensor's own bytes go."""
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))


def beside(model: ModelProto, folder: Path, before: bytes = b"", behind: bytes = b"", name: str = "w.bin") -> None:
    """The weights in a file beside the model."""
    raw = model.graph.initializer[0].raw_data
    (folder / name).write_bytes(before + raw + behind)
    outsourced(model.graph.initializer[0], name, offset=len(before), length=len(raw))


def findings(change: Change, folder: Path, tail: bytes = b"") -> dict[str, Severity]:
    """Rule -> severity of its worst finding, of these rules."""
    model, path = plain(), folder / "model.onnx"
    change(model, folder)
    path.write_bytes(model.SerializeToString() + tail)
    found = audit(AuditedFile.open(path))
    assert not found.failures
    return {f.rule: f.severity for f in reversed(found.findings) if f.rule in RULES}


def unused(values: np.ndarray, name: str = "u") -> Change:
    return lambda model, _: model.graph.initializer.append(numpy_helper.from_array(values, name))


def as_floats(content: bytes) -> np.ndarray:
    return np.frombuffer(content[: len(content) // 4 * 4], np.float32)


def linked(model: ModelProto, folder: Path) -> None:
    (folder.parent / "secret").write_bytes(bytes(192))
    (folder / "w.bin").symlink_to(folder.parent / "secret")
    outsourced(model.graph.initializer[0], "w.bin")


def hard_linked(model: ModelProto, folder: Path) -> None:
    (folder.parent / "secret").write_bytes(bytes(192))
    (folder / "w.bin").hardlink_to(folder.parent / "secret")
    outsourced(model.graph.initializer[0], "w.bin")


def injected(model: ModelProto, folder: Path) -> None:
    beside(model, folder)
    model.graph.initializer[0].external_data.add(key="__class__", value="x")


def cut_short(model: ModelProto, folder: Path) -> None:
    beside(model, folder)
    (folder / "w.bin").write_bytes(b"short")


def in_function(model: ModelProto, _: Path) -> None:
    tensor = TensorProto(name="t", data_type=1, dims=[1])
    outsourced(tensor, "/etc/hostname")
    node = helper.make_node("Constant", [], ["b"], value=tensor)
    model.functions.append(helper.make_function("f", "F", [], ["b"], [node], [helper.make_opsetid("", 17)]))
    default = AttributeProto(name="d", type=AttributeProto.TENSOR, t=numpy_helper.from_array(WEIGHTS))
    model.functions[0].attribute_proto.append(default)


def in_sparse(model: ModelProto, _: Path) -> None:
    sparse = SparseTensorProto(dims=[4], values=TensorProto(name="s", data_type=1, dims=[1]))
    sparse.indices.CopyFrom(TensorProto(data_type=7, dims=[1], int64_data=[0]))
    outsourced(sparse.values, "../secret")
    model.graph.sparse_initializer.append(sparse)


def in_branch(model: ModelProto, _: Path) -> None:
    tensor = TensorProto(name="t", data_type=1, dims=[1])
    outsourced(tensor, "C:\\secret")
    body = helper.make_graph([helper.make_node("Constant", [], ["b"], value=tensor)], "b", [], [])
    model.graph.node.append(helper.make_node("If", ["c"], ["z"], then_branch=body, else_branch=body))


def function_node(model: ModelProto, _: Path) -> None:
    model.functions.append(
        helper.make_function("my.own", "F", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])],
                             [helper.make_opsetid("", 17)])
    )  # fmt: skip
    model.graph.node.append(helper.make_node("F", ["y"], ["z"], domain="my.own"))


def node(operator: str, domain: str, **attributes: str) -> Change:
    return lambda model, _: model.graph.node.append(
        helper.make_node(operator, ["y"], ["z"], domain=domain, **attributes)
    )


def both_fields(model: ModelProto, _: Path) -> None:
    model.graph.initializer[0].float_data.extend([1.0] * 48)


def both_in_default(model: ModelProto, folder: Path) -> None:
    in_function(model, folder)
    model.functions[0].ClearField("node")
    model.functions[0].attribute_proto[0].t.float_data.extend([9.0] * 48)


def note(key: str, value: str, where: str = "model") -> Change:
    def change(model: ModelProto, _: Path) -> None:
        graph = model.graph
        holders = {"model": model, "graph": graph, "node": graph.node[0], "value": graph.input[0]}
        holders[where].metadata_props.add(key=key, value=value)

    return change


def weights(values: np.ndarray) -> Change:
    return lambda model, _: model.graph.initializer[0].CopyFrom(numpy_helper.from_array(values, "w"))


def infinite() -> np.ndarray:
    bad = WEIGHTS.copy()
    bad[3, 1] = np.inf
    return bad


def mask(model: ModelProto, _: Path) -> None:
    """An infinite constant that is added, as in attention."""
    model.graph.initializer.append(numpy_helper.from_array(np.full(3, -np.inf, np.float32), "mask"))
    model.graph.node.append(helper.make_node("Add", ["y", "mask"], ["z"]))


def longer(model: ModelProto, _: Path) -> None:
    model.graph.initializer[0].raw_data += b"more"


def declared_otherwise(model: ModelProto, _: Path) -> None:
    model.graph.value_info.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [3, 16]))


def declared_rightly(model: ModelProto, _: Path) -> None:
    model.graph.value_info.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, ["N", 3]))
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [16, 3]))


def quantised(model: ModelProto, _: Path) -> None:
    model.graph.initializer.append(numpy_helper.from_array(RNG.integers(0, 255, (64, 64)).astype(np.uint8), "q"))
    model.graph.node.append(helper.make_node("Cast", ["q"], ["z"], to=1))


PNG = base64.b64encode(b"\x89PNG" + RNG.bytes(200)).decode()
FOUND: dict[str, tuple[Change, str, Severity]] = {
    "absolute": (lambda m, f: outsourced(m.graph.initializer[0], "/etc/hostname"), RULES[0], Severity.CRITICAL),
    "parent": (lambda m, f: outsourced(m.graph.initializer[0], "a/../../b"), RULES[0], Severity.CRITICAL),
    "control character": (lambda m, f: outsourced(m.graph.initializer[0], "a\0b"), RULES[0], Severity.CRITICAL),
    "link": (linked, RULES[0], Severity.CRITICAL),
    "hard link": (hard_linked, RULES[0], Severity.CRITICAL),
    "function": (in_function, RULES[0], Severity.CRITICAL),
    "sparse": (in_sparse, RULES[0], Severity.CRITICAL),
    "branch": (in_branch, RULES[0], Severity.CRITICAL),
    "attribute injection": (injected, RULES[0], Severity.HIGH),
    "not there": (lambda m, f: outsourced(m.graph.initializer[0], "gone.bin"), RULES[0], Severity.NOTE),
    "beyond its end": (cut_short, RULES[0], Severity.MEDIUM),
    "custom": (node("Gate", "evil.ops"), RULES[1], Severity.MEDIUM),
    "microsoft": (node("FusedMatMul", "com.microsoft"), RULES[1], Severity.NOTE),
    "python": (node("PyOp", "ai.onnx.contrib", module="os", compute="system"), RULES[2], Severity.CRITICAL),
    "two fields": (both_fields, RULES[3], Severity.HIGH),
    "two fields in a default": (both_in_default, RULES[3], Severity.HIGH),
    "code": (note("run", "exec(base64.b64decode('aW1wb3J0IG9z'))"), RULES[5], Severity.MEDIUM),
    "program": (note("icon", base64.b64encode(ELF).decode(), "node"), RULES[5], Severity.HIGH),
    "archive": (note("n", base64.b64encode(gzip.compress(RNG.bytes(300))).decode(), "value"), RULES[5], Severity.HIGH),
    "unused program": (unused(as_floats(ELF)), RULES[6], Severity.HIGH),
    "unused pickle": (unused(np.frombuffer(pickle.dumps(list(range(900))), np.uint8)), RULES[6], Severity.HIGH),
    "unused ciphertext": (unused(as_floats(RNG.bytes(1 << 16))), RULES[6], Severity.MEDIUM),
    "unused": (unused(WEIGHTS), RULES[6], Severity.NOTE),
    "infinite": (weights(infinite()), RULES[7], Severity.MEDIUM),
    "not a number": (weights(np.full((16, 3), np.nan, np.float16)), RULES[7], Severity.MEDIUM),
    "longer than its shape": (longer, RULES[8], Severity.HIGH),
    "declared otherwise": (declared_otherwise, RULES[8], Severity.HIGH),
    "behind": (lambda m, f: beside(m, f, behind=b"hidden"), RULES[9], Severity.MEDIUM),
    "program before": (lambda m, f: beside(m, f, before=bytes(64) + ELF), RULES[9], Severity.HIGH),
}  # fmt: skip

HARMLESS: dict[str, Change] = {
    "nothing": lambda m, f: None,
    "data beside the model": beside,
    "aligned data": lambda m, f: beside(m, f, before=bytes(4096), behind=bytes(4096)),
    "a local function": function_node,
    "trees": node("TreeEnsembleClassifier", "ai.onnx.ml"),
    "ordinary notes": note("author", "A. N. Other, https://example.org; model.eval() was called (see README)."),
    "a picture in base64": note("thumbnail", PNG, "graph"),
    "a weight that begins like a program": weights(np.resize(as_floats(ELF), (16, 3))),
    "an attention mask": mask,
    "a shape with a free axis": declared_rightly,
    "quantised weights": quantised,
}  # fmt: skip


@pytest.mark.parametrize(("change", "rule", "severity"), FOUND.values(), ids=FOUND)
def test_found(change: Change, rule: str, severity: Severity, tmp_path: Path) -> None:
    (folder := tmp_path / "model").mkdir()
    assert findings(change, folder).get(rule) == severity


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_nothing_found(change: Change, tmp_path: Path) -> None:
    assert findings(change, tmp_path) == {}


def test_unknown_fields(tmp_path: Path) -> None:
    def field(content: bytes) -> bytes:
        return varint(1999 << 3 | 2) + varint(len(content)) + content

    assert findings(lambda m, f: None, tmp_path, field(b"hello")) == {"unknown-field": Severity.MEDIUM}
    assert findings(lambda m, f: None, tmp_path, field(ELF)) == {"unknown-field": Severity.HIGH}


def test_a_hugging_face_cache_is_as_it_should_be(tmp_path: Path) -> None:
    snapshot, blobs = tmp_path / "models--a--b" / "snapshots" / "abc", tmp_path / "models--a--b" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    model = plain()
    beside(model, blobs, name="22")
    model.graph.initializer[0].external_data[0].value = "model.onnx_data"
    (blobs / "11").write_bytes(model.SerializeToString())
    for name, blob in (("model.onnx", "11"), ("model.onnx_data", "22")):
        os.symlink(f"../../blobs/{blob}", snapshot / name)
    assert not [f for f in audit(AuditedFile.open(snapshot / "model.onnx")).findings if f.rule in RULES]


@pytest.mark.parametrize("name", ["clean.onnx", "trojaned.onnx"])
def test_nothing_in_the_bundled_models(name: str) -> None:
    assert not [f for f in audit(AuditedFile.open(bundled(name))).findings if f.rule in RULES]


def test_nothing_above_note_in_third_party_models() -> None:
    paths = sorted(SHARED.glob("*.onnx"))
    if not paths:
        pytest.skip("the third-party models are not here")
    worst = {f for p in paths for f in audit(AuditedFile.open(p)).findings if f.rule in RULES}
    assert not [f for f in worst if f.severity != Severity.NOTE]
