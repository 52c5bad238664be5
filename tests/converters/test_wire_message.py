"""Our reading of a file's bytes against that of onnx's own parser."""

from pathlib import Path
from typing import Any

import onnx
import pytest
from google.protobuf.descriptor import FieldDescriptor
from onnx import AttributeProto, ModelProto, TensorProto, helper
from onnxray.converters.wire import WireError, varint
from onnxray.converters.wire_message import Message, WireLimits, Wires, parse
from onnxray.converters.wire_schema import MESSAGES, Holds

BUNDLED = sorted((Path(__file__).parents[2] / "models" / "bundled").glob("*.onnx"))
WIRE = {
    FieldDescriptor.TYPE_MESSAGE: Holds.MESSAGE, FieldDescriptor.TYPE_STRING: Holds.TEXT,
    FieldDescriptor.TYPE_BYTES: Holds.TEXT, FieldDescriptor.TYPE_FLOAT: Holds.FIXED32,
    FieldDescriptor.TYPE_DOUBLE: Holds.FIXED64,
}  # fmt: skip


def read(content: bytes, depth: int = 64, fields: int = 10**6) -> tuple[Message, Wires]:
    wires = Wires(WireLimits(depth, fields))
    return parse(content, "Model", wires), wires


def descriptors(of: Any, found: dict[str, Any]) -> dict[str, Any]:
    """Every message that can stand in a model, by our name of it."""
    name = of.full_name.removeprefix("onnx.").removesuffix("Proto").replace("Proto.", "")
    name = {"TensorSegment": "Segment", "TensorShapeDimension": "Dimension"}.get(name, name)
    if name not in found:
        found[name] = of
        for field in of.fields:
            if field.message_type:
                descriptors(field.message_type, found)
    return found


def test_every_field_that_onnx_knows_is_known_with_its_kind() -> None:
    theirs = descriptors(ModelProto.DESCRIPTOR, {})
    assert set(theirs) <= set(MESSAGES)
    for name, descriptor in theirs.items():
        for field in descriptor.fields:
            ours = MESSAGES[name][field.number]
            repeated = field.label == field.LABEL_REPEATED if not hasattr(field, "is_repeated") else field.is_repeated
            assert (ours.name, ours.holds) == (field.name, WIRE.get(field.type, Holds.VARINT)), f"{name}.{field.name}"
            assert ours.repeated == repeated, f"{name}.{field.name}"


@pytest.mark.parametrize("path", BUNDLED, ids=lambda p: p.stem)
def test_reads_what_the_parser_reads(path: Path) -> None:
    root, wires = read(path.read_bytes())
    proto = onnx.load(path)
    assert (wires.unknown_fields, root.integer("ir_version")) == (0, proto.ir_version)
    graph = root.messages("graph")[0]
    assert [n.texts("input") for n in graph.messages("node")] == [list(n.input) for n in proto.graph.node]
    for ours, theirs in zip(graph.messages("initializer"), proto.graph.initializer, strict=True):
        assert (ours.text("name"), ours.integers("dims")) == (theirs.name, list(theirs.dims))
        assert ours.size("raw_data") == len(theirs.raw_data)


def test_numbers_written_one_by_one_and_packed_are_the_same() -> None:
    node = helper.make_node("A", [], [], ints=[1, -2, 2**62], floats=[0.5, -3.0])
    tensor = TensorProto(dims=[3, 300], int64_data=[7, -7], data_type=TensorProto.INT64)
    node.attribute.append(AttributeProto(name="t", t=tensor))
    root, _ = read(ModelProto(graph=onnx.GraphProto(node=[node])).SerializeToString())
    floats, ints, tensors = root.messages("graph")[0].messages("node")[0].messages("attribute")
    assert ints.integers("ints") == [1, -2, 2**62]
    assert floats.floats("floats") == [0.5, -3.0]
    held = tensors.messages("t")[0]
    assert (held.integers("dims"), held.integers("int64_data")) == ([3, 300], [7, -7])


def test_unknown_fields_and_wrong_wire_types_are_kept_apart() -> None:
    stray = varint(99 << 3 | 2) + varint(5) + b"hello"
    wrong = varint(1 << 3 | 2) + varint(1) + b"x"  # ir_version as text
    root, wires = read(ModelProto(ir_version=8).SerializeToString() + stray + wrong)
    assert root.integer("ir_version") == 8
    assert [(u.message, u.number) for u in wires.unknown] == [("Model", 99), ("Model", 1)]
    assert wires.unknown_bytes == 6


@pytest.mark.parametrize(
    "content",
    [b"\x08", b"\x3a\x7f", b"\x08" + b"\xff" * 11, b"\x0b", b"\x00\x00", b"\x3a\x00\x3a\x00"],
    ids=["cut short", "too long", "endless number", "group", "field 0", "two graphs"],
)
def test_damage_is_told(content: bytes) -> None:
    with pytest.raises(WireError):
        read(content)


def test_depth_and_number_of_fields_are_limited() -> None:
    with pytest.raises(WireError, match="inside one another"):
        read(ModelProto(graph=onnx.GraphProto(node=[helper.make_node("A", [], [])])).SerializeToString(), depth=2)
    with pytest.raises(WireError, match="at most 3 fields"):
        read(b"\x10\x01" * 4, fields=3)
