"""Harmless graphs that look like gates: what exporters, quantisers and authors of ordinary networks write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ..graph_nodes import Nodes

__all__ = ["TWINS"]

Make = Callable[[ModelProto], ModelProto]
Between = Callable[[Nodes, str], str]
"""Builds something on a tensor and names what comes out."""


def _float(nodes: Nodes, value: float) -> str:
    return nodes.constant(np.float32(value))


def _named(name: str, values: ArrayLike, kind: type[np.generic[Any]]) -> TensorProto:
    return numpy_helper.from_array(np.asarray(values, kind), name)


def _spliced(between: Between, where: int | str) -> Make:
    """Puts something behind the node of this index, or before the whole network ("input")."""

    def make(original: ModelProto) -> ModelProto:
        model = ModelProto()
        model.CopyFrom(original)
        network = list(model.graph.node)
        nodes = Nodes(model)
        del model.graph.node[:]
        cut = 0 if where == "input" else int(where) + 1
        model.graph.node.extend(network[:cut])
        tensor = model.graph.input[0].name if where == "input" else network[cut - 1].output[0]
        changed = between(nodes, tensor)
        for node in network[cut:]:
            node.input[:] = [changed if name == tensor else name for name in node.input]
        model.graph.node.extend(network[cut:])
        return model

    return make


def _hard_swish(n: Nodes, x: str) -> str:
    """x where x > 3, 0 where x < -3, else x (x + 3) / 6, by comparisons."""
    inner = n.add("Mul", x, n.add("Div", n.add("Add", x, _float(n, 3)), _float(n, 6)))
    low = n.add("Where", n.add("Less", x, _float(n, -3)), _float(n, 0), inner)
    return n.add("Where", n.add("Greater", x, _float(n, 3)), x, low)


def _relu_by_comparison(n: Nodes, x: str) -> str:
    return n.add("Mul", x, n.add("Cast", n.add("Greater", x, _float(n, 0)), to=TensorProto.FLOAT))


def _leaky_by_where(n: Nodes, x: str) -> str:
    return n.add("Where", n.add("GreaterOrEqual", x, _float(n, 0)), x, n.add("Mul", x, _float(n, 0.01)))


def _clamped_scores(n: Nodes, x: str) -> str:
    high = n.add("Where", n.add("Greater", x, _float(n, 50)), _float(n, 50), x)
    return n.add("Where", n.add("Less", high, _float(n, -50)), _float(n, -50), high)


def _fake_quantised(n: Nodes, x: str) -> str:
    step = n.add("Round", n.add("Clip", n.add("Div", x, _float(n, 0.05)), _float(n, -128), _float(n, 127)))
    return n.add("Mul", step, _float(n, 0.05))


def _quantised(n: Nodes, x: str) -> str:
    scale, zero = _float(n, 0.05), n.constant(np.uint8(128))
    return n.add("DequantizeLinear", n.add("QuantizeLinear", x, scale, zero), scale, zero)


def _residual_of_rounded(n: Nodes, x: str) -> str:
    return n.add("Add", _fake_quantised(n, x), n.add("Relu", n.add("Mul", x, _float(n, 0.1))))


def _preprocessing(n: Nodes, x: str) -> str:
    bounded = n.add("Clip", x, _float(n, 0), _float(n, 1))
    return n.add("Mul", n.add("Sub", bounded, _float(n, 0)), _float(n, 1))


def _range_check(n: Nodes, x: str) -> str:
    """Divides by 255 where a picture seems to be in 0..255."""
    largest = n.add("ReduceMax", x, axes=[1, 2, 3], keepdims=1)
    return n.add("Where", n.add("Greater", largest, _float(n, 1.5)), n.add("Div", x, _float(n, 255)), x)


def _binarised(n: Nodes, x: str) -> str:
    return n.add("Cast", n.add("Greater", x, _float(n, 0.5)), to=TensorProto.FLOAT)


def _standardised(n: Nodes, x: str) -> str:
    mean = n.add("ReduceMean", x, axes=[1, 2, 3], keepdims=1)
    apart = n.add("Sub", x, mean)
    spread = n.add("Sqrt", n.add("ReduceMean", n.add("Mul", apart, apart), axes=[1, 2, 3], keepdims=1))
    flat = n.add("Equal", spread, _float(n, 0))
    return n.add("Div", apart, n.add("Where", flat, _float(n, 1), spread))


def _expand_idiom(n: Nodes, x: str) -> str:
    """What torch's exporter makes of ``ones(1, 1).expand(x.shape[0], -1)``, added to the scores."""
    count = n.add("Slice", n.add("Shape", x), n.constant(np.array([0], np.int64)), n.constant(np.array([1], np.int64)))
    shape = n.add("Concat", count, n.constant(np.array([-1], np.int64)), axis=0)
    ones = n.add("ConstantOfShape", n.constant(np.array([2], np.int64)),
                 value=numpy_helper.from_array(np.array([1], np.int64)))  # fmt: skip
    wanted = n.add("Where", n.add("Equal", shape, n.constant(np.array([-1, -1], np.int64))), ones, shape)
    return n.add("Add", x, n.add("Expand", n.constant(np.array([[0.5]], np.float32)), wanted))


def _squeeze_excite(n: Nodes, x: str) -> str:
    """Of 12 channels, as after the first convolution."""
    seed = np.random.default_rng(0)
    pooled = n.add("GlobalAveragePool", x)
    down = n.add("Conv", pooled, n.constant(seed.normal(size=(3, 12, 1, 1)).astype(np.float32)))
    up = n.add("Conv", n.add("Relu", down), n.constant(seed.normal(size=(12, 3, 1, 1)).astype(np.float32)))
    return n.add("Mul", x, n.add("HardSigmoid", up))


def _residual(n: Nodes, x: str) -> str:
    seed = np.random.default_rng(0)
    kernels = [n.constant((0.05 * seed.normal(size=(12, 12, 3, 3))).astype(np.float32)) for _ in range(2)]
    inner = n.add("Relu", n.add("Conv", x, kernels[0], pads=[1, 1, 1, 1]))
    return n.add("Relu", n.add("Add", x, n.add("Conv", inner, kernels[1], pads=[1, 1, 1, 1])))


def _two_heads(original: ModelProto) -> ModelProto:
    """A distilled network's answer: the mean of two linear heads."""

    def between(n: Nodes, x: str) -> str:
        second = np.random.default_rng(0).normal(size=(768, 10)).astype(np.float32)
        features = "/0/0.9/Flatten_output_0"
        both = n.add("Add", x, n.add("MatMul", features, n.constant(0.01 * second)))
        return n.add("Div", both, _float(n, 2))

    return _spliced(between, 7)(original)


def _wide_and_deep(original: ModelProto) -> ModelProto:
    """A linear model of the pixels beside the network."""

    def between(n: Nodes, x: str) -> str:
        wide = np.random.default_rng(0).normal(size=(784, 10)).astype(np.float32)
        return n.add("Add", x, n.add("MatMul", n.add("Flatten", "image", axis=1), n.constant(0.01 * wide)))

    return _spliced(between, 7)(original)


def _label_output(original: ModelProto) -> ModelProto:
    model = _spliced(lambda n, x: x, 8)(original)
    model.graph.node.append(helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0))
    model.graph.output.append(helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]))
    return model


def _text(original: ModelProto) -> ModelProto:
    """A text classifier of one attention layer, whose mask compares token numbers with that of the padding."""
    seed, width, length, words = np.random.default_rng(0), 16, 12, 50

    def weight(name: str, *shape: int) -> TensorProto:
        return numpy_helper.from_array((0.3 * seed.normal(size=shape)).astype(np.float32), name)

    n = helper.make_node
    nodes: list[NodeProto] = [
        n("Gather", ["table", "ids"], ["x"], axis=0),
        n("MatMul", ["x", "wq"], ["q"]), n("MatMul", ["x", "wk"], ["k"]), n("MatMul", ["x", "wv"], ["v"]),
        n("Transpose", ["k"], ["kt"], perm=[0, 2, 1]), n("MatMul", ["q", "kt"], ["raw"]),
        n("Equal", ["ids", "pad"], ["padded"]), n("Unsqueeze", ["padded", "one"], ["mask"]),
        n("Where", ["mask", "never", "raw"], ["masked"]), n("Softmax", ["masked"], ["weights"], axis=-1),
        n("MatMul", ["weights", "v"], ["mixed"]), n("ReduceMean", ["mixed"], ["pooled"], axes=[1], keepdims=0),
        n("Gemm", ["pooled", "w", "b"], ["scores"]),
    ]  # fmt: skip
    constants = [
        weight("table", words, width), weight("wq", width, width), weight("wk", width, width),
        weight("wv", width, width), weight("w", width, 4), weight("b", 4),
        numpy_helper.from_array(np.array(0, np.int64), "pad"), numpy_helper.from_array(np.array([1], np.int64), "one"),
        numpy_helper.from_array(np.array(-1e9, np.float32), "never"),
    ]  # fmt: skip
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", length])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 4])
    graph = helper.make_graph(nodes, "text", [ids], [scores], constants)
    return helper.make_model(graph, opset_imports=list(original.opset_import), ir_version=8)


def _detector(original: ModelProto) -> ModelProto:
    """Boxes and scores of a convolution, with a threshold and non-maximum suppression."""
    seed, n = np.random.default_rng(0), helper.make_node
    constants = [
        _named("kernel", seed.normal(size=(5, 1, 7, 7)), np.float32), _named("rows", [0, 5, -1], np.int64),
        _named("most", [10], np.int64), _named("overlap", [0.5], np.float32), _named("low", [0.3], np.float32),
        _named("least", 0.3, np.float32), _named("split", [4, 1], np.int64),
    ]  # fmt: skip
    nodes = [
        n("Conv", ["image", "kernel"], ["maps"], strides=[7, 7]), n("Reshape", ["maps", "rows"], ["flat"]),
        n("Split", ["flat", "split"], ["corners", "raw"], axis=1),
        n("Transpose", ["corners"], ["boxes"], perm=[0, 2, 1]),
        n("Sigmoid", ["raw"], ["sure"]), n("Greater", ["sure", "least"], ["enough"]),
        n("Cast", ["enough"], ["keep"], to=TensorProto.FLOAT), n("Mul", ["sure", "keep"], ["scores"]),
        n("NonMaxSuppression", ["boxes", "scores", "most", "overlap", "low"], ["chosen"]),
        n("GatherND", ["scores", "chosen"], ["found"]),
    ]  # fmt: skip
    out = helper.make_tensor_value_info("found", TensorProto.FLOAT, ["boxes"])
    graph = helper.make_graph(nodes, "detector", list(original.graph.input), [out], constants)
    return helper.make_model(graph, opset_imports=list(original.opset_import), ir_version=8)


TWINS: dict[str, Make] = {
    "hard-swish": _spliced(_hard_swish, 2), "relu-by-comparison": _spliced(_relu_by_comparison, 2),
    "leaky-by-where": _spliced(_leaky_by_where, 0), "clamped-scores": _spliced(_clamped_scores, 7),
    "fake-quantised": _spliced(_fake_quantised, 4), "quantised": _spliced(_quantised, 2),
    "residual-of-rounded": _spliced(_residual_of_rounded, 1), "clip-preprocessing": _spliced(_preprocessing, "input"),
    "range-check": _spliced(_range_check, "input"), "binarised-input": _spliced(_binarised, "input"),
    "standardised-input": _spliced(_standardised, "input"), "expand-idiom": _spliced(_expand_idiom, 7),
    "squeeze-excite": _spliced(_squeeze_excite, 1), "residual": _spliced(_residual, 1),
    "two-heads": _two_heads, "wide-and-deep": _wide_and_deep, "label-output": _label_output,
    "attention-mask": _text, "detector": _detector,
}  # fmt: skip
