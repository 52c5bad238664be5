"""Small classifiers that hold the same kind of weights in every way that exporters know; seeded, (N, 1, 8, 8) in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

__all__ = ["write_originals"]

_RNG = np.random.default_rng(0)
_CONV = "c = Conv<pads=[1,1,1,1]>(x, w, b)"
_TAIL = "r = Relu(c)  p = MaxPool<kernel_shape=[4,4], strides=[4,4]>(r)  f = Flatten(p)"
_GEMM = "y = Gemm<transB=1>(f, v, d)"

_BASE: dict[str, NDArray[Any]] = {
    "w": _RNG.standard_normal((6, 1, 3, 3)).astype(np.float32),
    "b": _RNG.standard_normal(6).astype(np.float32),
    "v": _RNG.standard_normal((4, 24)).astype(np.float32),
    "d": _RNG.standard_normal(4).astype(np.float32),
}
_INT8 = _RNG.integers(-100, 100, (6, 1, 3, 3)).astype(np.int8)
_SCALES: dict[str, Any] = {"s": np.float32(0.02), "z": np.int8(3)}
_ACT: dict[str, Any] = {"xs": np.float32(1 / 255), "xz": np.uint8(0), "cs": np.float32(0.08), "cz": np.uint8(120)}

# Name -> body of the graph, weights that differ from the base, opset.
_GRAPHS: dict[str, tuple[str, Mapping[str, Any], int]] = {
    "Conv and Gemm": (f"{_CONV} {_TAIL} {_GEMM}", {}, 17),
    "opset 7": (f"{_CONV} {_TAIL} {_GEMM}", {}, 7),
    "BatchNormalization": (
        f"e = Conv<pads=[1,1,1,1]>(x, w)  c = BatchNormalization(e, g, b, m, n) {_TAIL} {_GEMM}",
        {"g": _BASE["b"] + 2, "m": _BASE["b"] / 2, "n": _BASE["b"] ** 2 + 1}, 17),
    "Gemm with alpha": (f"{_CONV} {_TAIL} y = Gemm<alpha=0.5>(f, v, d)", {"v": _BASE["v"].T.copy()}, 17),
    "MatMul and Add": (f"m = Flatten(x)  h = MatMul(m, a)  i = Add(h, b)  f = Relu(i) {_GEMM}",
        {"a": _RNG.standard_normal((64, 24)).astype(np.float32), "b": _RNG.standard_normal(24).astype(np.float32)}, 17),
    "Transpose": (f"t = Transpose<perm=[1,0]>(a)  m = Flatten(x)  h = MatMul(m, t)  f = Relu(h) {_GEMM}",
        {"a": _RNG.standard_normal((24, 64)).astype(np.float32)}, 17),
    "Reshape": (f"q = Reshape(a, shape)  m = Flatten(x)  h = MatMul(m, q)  f = Relu(h) {_GEMM}",
        {"a": _RNG.standard_normal((8, 8, 24)).astype(np.float32), "shape": np.array([64, 24], np.int64)}, 17),
    "Unsqueeze and Identity": (
        f"i = Identity(a)  w3 = Unsqueeze(i, one)  c = Conv<pads=[1,1,1,1]>(x, w3, b) {_TAIL} {_GEMM}",
        {"a": _BASE["w"][:, 0], "one": np.array([1], np.int64)}, 17),
    "scaled weight": (f"a = Mul(w, k)  c = Conv<pads=[1,1,1,1]>(x, a, b) {_TAIL} {_GEMM}", {"k": np.float32(0.3)}, 17),
    "shared weight": (
        f"h = Conv<pads=[1,1,1,1]>(x, w, b)  c = Conv<pads=[1,1,1,1]>(h, w, b) {_TAIL} {_GEMM}",
        {"w": _BASE["w"][:1], "b": _BASE["b"][:1], "v": _BASE["v"][:, :4].copy()}, 17),
    "shared with its transpose": (
        f"m = Flatten(x)  t = Transpose<perm=[1,0]>(a)  h = MatMul(m, a)  r = Relu(h)  o = MatMul(r, t)  f = Relu(o) "
        f"{_GEMM}", {"a": _RNG.standard_normal((64, 24)).astype(np.float32) / 8,
                     "v": _RNG.standard_normal((4, 64)).astype(np.float32)}, 17),
    "grouped Conv": (
        f"e = Conv<pads=[1,1,1,1]>(x, w, b)  c = Conv<pads=[1,1,1,1], group=6>(e, u) {_TAIL} {_GEMM}",
        {"u": _BASE["w"]}, 17),
    "ConvTranspose": (f"c = ConvTranspose<pads=[1,1,1,1]>(x, u, b) {_TAIL} {_GEMM}",
        {"u": _BASE["w"].transpose(1, 0, 2, 3).copy()}, 17),
    "Softmax behind": (f"{_CONV} {_TAIL} o = Gemm<transB=1>(f, v, d)  y = Softmax(o)", {}, 17),
    "float16 with Cast": (f"a = Cast<to=1>(w)  c = Conv<pads=[1,1,1,1]>(x, a, b) {_TAIL} {_GEMM}",
        {"w": _BASE["w"].astype(np.float16)}, 17),
    "int8 weight": (f"a = DequantizeLinear(q, s, z)  c = Conv<pads=[1,1,1,1]>(x, a, b) {_TAIL} {_GEMM}",
        {"q": _INT8, **_SCALES}, 17),
    "int8 per channel": (f"a = DequantizeLinear<axis=0>(q, s)  c = Conv<pads=[1,1,1,1]>(x, a, b) {_TAIL} {_GEMM}",
        {"q": _INT8, "s": np.array([1, 2, 3, 4, 5, 6], np.float32) / 200}, 17),
    "float behind QuantizeLinear": (
        f"q = QuantizeLinear(w, s, z)  a = DequantizeLinear(q, s, z)  c = Conv<pads=[1,1,1,1]>(x, a, b) "
        f"{_TAIL} {_GEMM}", _SCALES, 17),
    "QDQ": (
        "xq = QuantizeLinear(x, xs, xz)  xd = DequantizeLinear(xq, xs, xz)  a = DequantizeLinear(q, s, z) "
        "e = Conv<pads=[1,1,1,1]>(xd, a, b)  cq = QuantizeLinear(e, cs, cz)  c = DequantizeLinear(cq, cs, cz) "
        f"{_TAIL} {_GEMM}", {"q": _INT8, **_SCALES, **_ACT}, 17),
    "QLinearConv": (
        "xq = QuantizeLinear(x, xs, xz)  cq = QLinearConv<pads=[1,1,1,1]>(xq, xs, xz, q, s, z, cs, cz) "
        f"c = DequantizeLinear(cq, cs, cz) {_TAIL} {_GEMM}", {"q": _INT8, **_SCALES, **_ACT, "z": np.int8(0)}, 17),
    "int4 in blocks": (
        f"a = DequantizeLinear<axis=1, block_size=8>(q, s)  m = Flatten(x)  h = Gemm<transB=1>(m, a)  f = Relu(h) "
        f"{_GEMM}", {"q": _RNG.integers(-8, 8, (24, 64)), "s": np.float32(_RNG.random((24, 8)) / 4 + 0.05)}, 21),
}  # fmt: skip


def write_originals(folder: Path) -> dict[str, Path]:
    """Write every original into a folder of its own and return their paths by what is special about them."""
    paths = {}
    for number, (name, model) in enumerate(_models().items()):
        (folder / str(number)).mkdir(parents=True)
        paths[name] = folder / str(number) / "model.onnx"
        outside = name == "external data"
        onnx.save(model, paths[name], save_as_external_data=outside, location="model.data", size_threshold=0)
    return paths


def _models() -> dict[str, ModelProto]:
    models = {name: _model(*parts) for name, parts in _GRAPHS.items()}
    plain = _GRAPHS["Conv and Gemm"]
    models["external data"] = _model(*plain)
    models["Constant nodes"] = _with_constants(_model(*plain))
    models["float_data"] = _with_numbers(_model(*plain))
    models["float16"] = _in_type(plain, "float16", np.float16)
    models["float64"] = _in_type(_GRAPHS["MatMul and Add"], "double", np.float64)
    models["fixed batch"] = _model(*plain, batch="1")
    return models


def _model(body: str, weights: Mapping[str, Any], opset: int, batch: str = "N", kind: str = "float") -> ModelProto:
    text = f'<ir_version: {10 if opset > 17 else 8}, opset_import: ["": {opset}]> net '
    text += f"({kind}[{batch},1,8,8] x) => ({kind}[{batch},4] y) {{ {body} }}"
    model = onnx.parser.parse_model(text)
    used = {name for node in model.graph.node for name in node.input}
    for name, value in {**_BASE, **weights}.items():
        if name in used:
            model.graph.initializer.append(_tensor(name, np.asarray(value), opset))
    return model


def _tensor(name: str, value: NDArray[Any], opset: int) -> TensorProto:
    four_bits = name == "q" and opset >= 21
    dtype = helper.tensor_dtype_to_np_dtype(TensorProto.INT4) if four_bits else value.dtype
    return numpy_helper.from_array(value.astype(dtype), name)


def _in_type(parts: tuple[str, Mapping[str, Any], int], kind: str, dtype: type[np.generic]) -> ModelProto:
    body, weights, opset = parts
    cast = {name: value.astype(dtype) for name, value in {**_BASE, **weights}.items()}
    return _model(body, cast, opset, kind=kind)


def _with_constants(model: ModelProto) -> ModelProto:
    """Every initializer in a Constant node instead."""
    nodes = [helper.make_node("Constant", [], [t.name], value=t) for t in model.graph.initializer]
    nodes += model.graph.node
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    return model


def _with_numbers(model: ModelProto) -> ModelProto:
    """Every initializer number by number instead of in raw_data."""
    for tensor in model.graph.initializer:
        value = numpy_helper.to_array(tensor)
        tensor.CopyFrom(helper.make_tensor(tensor.name, tensor.data_type, value.shape, value.flatten()))
    return model
