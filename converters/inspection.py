"""What is in a model file and how much of it has a twin: for people who ask why a model cannot be scanned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, TensorProto, TypeProto, helper

from .errors import NotAClassifier, OnnxrayError, TwinError
from .facts import ModelFacts, TensorSpec, shown
from .graphs import every_node, opsets, tensors
from .limits import MAX_BYTES
from .load import load
from .messages import one_line
from .model import Model, open_model
from .operators import find
from .parity import Parity
from .to_torch import missing_operators
from .whole_graph import Agreement, agreement

__all__ = ["Inspection", "Layer", "Port", "Used", "inspect"]

_WEIGHTED = (
    "Conv", "ConvTranspose", "Gemm", "MatMul", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "LSTM",
    "GRU", "RNN", "BatchNormalization", "LayerNormalization", "InstanceNormalization", "GroupNormalization", "FusedConv",  # noqa: E501
    "MatMulNBits", "Attention", "TreeEnsembleClassifier", "SVMClassifier", "LinearClassifier",
)  # fmt: skip
_SAMPLES = 16


@dataclass(frozen=True)
class Port:
    """An input or an output of the graph: its name, and type and shape in words, such as "float32 (?, 3, 32, 32)"."""

    name: str
    type: str


@dataclass(frozen=True)
class Used:
    """An operator of the graph.

    Attributes:
        name: with its domain, such as "com.microsoft.FusedConv".
        count: nodes, those of subgraphs and functions included.
        twin: "table", "onnx2torch" or "missing": what computes it in the twin.
        gradient: "exact", "straight-through", "soft" or "none"; "" where it is not told.
    """

    name: str
    count: int
    twin: str
    gradient: str


@dataclass(frozen=True)
class Layer:
    """A node with weights: its name, its operator, and the name and shape of its largest weight."""

    name: str
    operator: str
    weight: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Inspection:
    """All that `onnxray inspect` tells.

    Attributes:
        path: the file.
        sha256: its identity.
        producer: the program that wrote it.
        opsets: domain -> version.
        inputs: without initializers.
        outputs: as declared.
        operators: most frequent first.
        layers: in the graph's order.
        parameters: number of elements of all floating and quantised weights.
        facts: the signature of the classifier, None if it is none.
        parity: of the twin, None if there is none.
        agreement: of the whole graph, where it is no classifier but converts.
        problems: what stands in the way of a scan with gradients, one line each, in words.
        remains: what can still be done with the file.
    """

    path: str
    sha256: str
    producer: str
    opsets: dict[str, int]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    operators: tuple[Used, ...]
    layers: tuple[Layer, ...]
    parameters: int
    facts: ModelFacts | None
    parity: Parity | None
    agreement: Agreement | None
    problems: tuple[str, ...]
    remains: str


def inspect(path: Path, max_bytes: int = MAX_BYTES, scores: str | None = None) -> Inspection:
    """Look at a file, try its conversion, and hold the twin against onnxruntime on random inputs.

    Raises:
        ModelError: it cannot be read as ONNX; whatever else is wrong is told in `problems`.
    """
    source = load(path, max_bytes)
    proto = source.proto
    constants = {tensor.name for tensor in proto.graph.initializer}
    problems: list[str] = []
    model, parity, agreed = _try(path, max_bytes, scores, proto, problems)
    return Inspection(
        path=str(path),
        sha256=source.sha256,
        producer=one_line(f"{proto.producer_name} {proto.producer_version}"),
        opsets={o.domain or "ai.onnx": o.version for o in proto.opset_import},
        inputs=tuple(_port(v.name, v.type) for v in proto.graph.input if v.name not in constants),
        outputs=tuple(_port(v.name, v.type) for v in proto.graph.output),
        operators=_operators(proto),
        layers=tuple(_layers(proto.graph)),
        parameters=sum(prod(t.dims) for t in tensors(proto) if len(t.dims) > 0 and t.data_type != TensorProto.INT64),
        facts=model.facts if model else None,
        parity=parity,
        agreement=agreed,
        problems=tuple(problems),
        remains=_remains(model, parity, agreed),
    )


def samples_for(spec: TensorSpec, rows: int = _SAMPLES) -> NDArray[Any]:
    """Return random inputs in [0, 1] for a classifier, whole bytes for an integer input; free axes are taken as 32."""
    shape = (rows, *(size or 32 for size in spec.shape[1:]))
    values = np.random.default_rng(1).random(shape)
    if np.dtype(spec.dtype).kind in "iu":
        return np.floor(values * (256 if spec.dtype == "uint8" else 100))
    return values.astype(np.float32)


def _try(
    path: Path, max_bytes: int, scores: str | None, proto: ModelProto, problems: list[str]
) -> tuple[Model | None, Parity | None, Agreement | None]:
    """Open and convert, as far as that goes; what stops it is added to the problems."""
    try:
        model = open_model(path, max_bytes=max_bytes, scores=scores)
    except NotAClassifier as error:
        problems.append(_reason(error, path))
        return None, None, _agreement(proto, problems)
    except OnnxrayError as error:
        problems.append(_reason(error, path))
        return None, None, None
    try:
        return model, model.build_twin(samples_for(model.facts.input)), None
    except TwinError as error:
        problems.append(_reason(error, path))
        problems += [f"no twin for the operator {name}" for name in missing_operators(proto) if name not in str(error)]
    except OnnxrayError as error:
        problems.append(_reason(error, path))
        return None, None, None
    return model, None, None


def _agreement(proto: ModelProto, problems: list[str]) -> Agreement | None:
    try:
        return agreement(proto)
    except OnnxrayError as error:
        problems.append(one_line(error))
        return None


def _remains(model: Model | None, parity: Parity | None, agreed: Agreement | None) -> str:
    if parity:
        return "everything: a scan with gradients, judged in onnxruntime"
    if model:
        return "a scan without gradients: the search for triggers asks onnxruntime alone"
    if agreed:
        return "the graph converts and agrees, but it is not a classifier that can be scanned"
    return "nothing that needs the model to be run as a classifier"


def _reason(error: Exception, path: Path) -> str:
    return one_line(str(error).removeprefix(f"{path}: "), 400)


def _operators(model: ModelProto) -> tuple[Used, ...]:
    versions = opsets(model)
    missing = set(missing_operators(model))
    bodies = {(function.domain, function.name) for function in model.functions}
    counts = Counter((node.domain, node.op_type) for node in every_node(model))
    return tuple(
        _used(domain, name, versions.get(domain, 1), count, missing)
        for (domain, name), count in counts.most_common()
        if (domain, name) not in bodies
    )


def _used(domain: str, name: str, opset: int, count: int, missing: set[str]) -> Used:
    full = f"{domain}{'.' if domain else ''}{name}"
    operator = find(domain, name, opset)
    if operator:
        return Used(one_line(full), count, "table", operator.gradient.value)
    return Used(one_line(full), count, "missing" if f"{full} (opset {opset})" in missing else "onnx2torch", "")


def _layers(graph: GraphProto) -> Iterator[Layer]:
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:  # a weight may come by way of one node: dequantised, transposed, or a Constant
        shapes.update((node.output[0], tuple(a.t.dims)) for a in node.attribute if a.name == "value" and node.output)
        if node.op_type in ("DequantizeLinear", "Identity", "Cast", "Transpose") and node.input[0] in shapes:
            shapes[node.output[0]] = shapes[node.input[0]]
    for node in graph.node:
        weights = [name for name in node.input if len(shapes.get(name, ())) > 0]
        if node.op_type in _WEIGHTED and (weights or node.domain == "ai.onnx.ml"):
            weight = max(weights, key=lambda name: prod(shapes[name]), default="")
            name = one_line(node.name or node.output[0])
            yield Layer(name, node.op_type, one_line(weight), shapes.get(weight, ()))


def _port(name: str, type_: TypeProto) -> Port:
    tensor = type_.tensor_type
    if type_.WhichOneof("value") != "tensor_type":
        return Port(one_line(name), (type_.WhichOneof("value") or "no type").removesuffix("_type"))
    known = tensor.elem_type in TensorProto.DataType.values() and tensor.elem_type
    dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type).name if known else "unknown"
    dtype = "text" if dtype == "object" else dtype
    return Port(
        one_line(name), f"{dtype} {shown([d.dim_value if d.dim_value > 0 else None for d in tensor.shape.dim])}"
    )
