"""Files that reach for other files, hide something, or mean two things."""

from __future__ import annotations

import base64
from functools import partial
from pathlib import Path

import numpy as np
from onnx import AttributeProto, ModelProto, SparseTensorProto, TensorProto, helper, numpy_helper

from ...converters.wire import varint
from . import Case
from .bombs import IDENTITY, model

__all__ = ["FILES"]

_PROGRAM = b"\x7fELF\x02\x01\x01" + bytes(249)
_OUTSIDE = "external-data-outside"


def _weight(**changes: object) -> TensorProto:
    values = {"name": "w", "dims": [4], "data_type": TensorProto.FLOAT, "raw_data": bytes(16), **changes}
    return TensorProto(**values)  # type: ignore[arg-type]


def _elsewhere(location: str, **entries: object) -> TensorProto:
    tensor = TensorProto(name="w", dims=[4], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def _using(tensor: TensorProto) -> ModelProto:
    return model(helper.make_node("Add", ["x", "w"], ["y"]), w=tensor)


def _at(_: Path, location: str) -> ModelProto:
    return _using(_elsewhere(location))


def _linked(folder: Path, hard: bool) -> ModelProto:
    secret = folder.parent / f"{folder.name}-secret"
    secret.write_bytes(bytes(16))
    place = folder / "w.bin"
    if hard:
        place.hardlink_to(secret)
    else:
        place.symlink_to(secret)
    return _using(_elsewhere("w.bin"))


def _in_function(_: Path) -> ModelProto:
    node = helper.make_node("Constant", [], ["b"], value=_elsewhere("../secret"))
    function = helper.make_function("f", "F", [], ["b"], [node], [helper.make_opsetid("", 17)])
    return model(helper.make_node("F", [], ["k"], domain="f"), helper.make_node("Add", ["x", "k"], ["y"]),
                 functions=(function,))  # fmt: skip


def _in_sparse(_: Path) -> ModelProto:
    made = model(IDENTITY)
    indices = TensorProto(dims=[1], data_type=TensorProto.INT64, int64_data=[0])
    made.graph.sparse_initializer.append(SparseTensorProto(dims=[4], values=_elsewhere("../secret"), indices=indices))
    return made


def _injected(folder: Path) -> ModelProto:
    (folder / "w.bin").write_bytes(bytes(16))
    return _using(_elsewhere("w.bin", __class__="x"))


def _behind(folder: Path) -> ModelProto:
    (folder / "w.bin").write_bytes(bytes(16) + _PROGRAM)
    return _using(_elsewhere("w.bin", offset=0, length=16))


def _custom(_: Path, operator: str, domain: str, **attributes: str) -> ModelProto:
    return model(helper.make_node(operator, ["x"], ["y"], domain=domain, **attributes))


def _twice_in_default(_: Path) -> ModelProto:
    """What a function's attribute is if nobody gives it; onnxruntime takes ``raw_data``."""
    default = AttributeProto(name="d", type=AttributeProto.TENSOR, t=_weight(float_data=[9.0] * 4))
    node = helper.make_node("Constant", [], ["k"])
    node.attribute.add(name="value", ref_attr_name="d", type=AttributeProto.TENSOR)
    nodes = [node, helper.make_node("Add", ["a", "k"], ["b"])]
    function = helper.make_function("f", "F", ["a"], ["b"], nodes, [helper.make_opsetid("", 17)])
    function.attribute_proto.append(default)
    return model(helper.make_node("F", ["x"], ["y"], domain="f"), functions=(function,))


def _noted(_: Path, value: str) -> ModelProto:
    made = model(IDENTITY)
    made.graph.node[0].metadata_props.add(key="run", value=value)
    return made


def _unused(_: Path) -> ModelProto:
    return model(IDENTITY, u=numpy_helper.from_array(np.frombuffer(_PROGRAM, np.float32), "u"))


def _unknown(_: Path) -> bytes:
    content: bytes = model(IDENTITY).SerializeToString() + varint(1999 << 3 | 2) + varint(len(_PROGRAM)) + _PROGRAM
    return content


FILES = (
    Case("absolute-path", _OUTSIDE, partial(_at, location="/etc/hostname")),
    Case("parent-folder", _OUTSIDE, partial(_at, location="a/../../secret")),
    Case("drive", _OUTSIDE, partial(_at, location="C:\\secret")),
    Case("control-character", _OUTSIDE, partial(_at, location="w\0.bin")),
    Case("symbolic-link", _OUTSIDE, partial(_linked, hard=False)),
    Case("hard-link", _OUTSIDE, partial(_linked, hard=True)),
    Case("path-in-function", _OUTSIDE, _in_function),
    Case("path-in-sparse-tensor", _OUTSIDE, _in_sparse),
    Case("attribute-injection", _OUTSIDE, _injected),
    Case("program-behind-weights", "unclaimed-bytes", _behind),
    Case("custom-operator", "custom-operator-domain", partial(_custom, operator="Gate", domain="evil.ops")),
    Case("python-operator", "python-operator",
         partial(_custom, operator="PyOp", domain="ai.onnx.contrib", module="os", compute="system")),
    Case("two-sets-of-values", "data-in-two-fields", _twice_in_default),
    Case("code-in-metadata", "payload-in-metadata", partial(_noted, value="exec(base64.b64decode('aW1wb3J0IG9z'))")),
    Case("program-in-metadata", "payload-in-metadata", partial(_noted, value=base64.b64encode(_PROGRAM).decode())),
    Case("program-in-unused-weight", "payload-in-unused-tensor", _unused),
    Case("unknown-field", "unknown-field", _unknown),
    Case("longer-than-its-shape", "shape-disagreement", lambda _: _using(_weight(raw_data=bytes(99)))),
    Case("no-number", "nonfinite-weights", lambda _: _using(_weight(raw_data=b"\0\0\xc0\x7f" * 4))),
)  # fmt: skip
