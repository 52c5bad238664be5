"""Which output answers, and how to read it as one score for each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TypeProto, ValueInfoProto, helper

from .errors import NotAClassifier
from .facts import TensorSpec
from .messages import one_line
from .signature import kind_of, spec_of

__all__ = ["Answer", "Head", "Reading", "find_answer", "find_head", "scores_of"]

_SATURATING = ("Softmax", "LogSoftmax", "Sigmoid")
_DECIDING = ("ArgMax", "ZipMap")
_TRANSPARENT = (
    "Cast", "DequantizeLinear", "Dropout", "Flatten", "Identity", "QuantizeLinear", "Reshape", "Squeeze", "Unsqueeze",
)  # fmt: skip
_FEW_NODES = 50_000  # a longer walk back is no head


class Reading(Enum):
    """How the values of the output stand for scores (N, K)."""

    SCORES = "scores"  # one number for each class
    LOGIT = "logit"  # one number, above 0 for the second of two classes
    PROBABILITY = "probability"  # one number in [0, 1], that of the second of two classes
    LABEL = "label"  # the index of the class: one-hot scores
    MAPS = "maps"  # a map from label to probability, as ZipMap gives it


@dataclass(frozen=True)
class Answer:
    """The output that answers.

    Attributes:
        spec: as the file declares it; of a sequence of maps, (N, K) float32.
        reading: how to read it.
        keys: labels of the classes in order, where the output is a map.
        single: how to read one number a row, where a file declares two and gives one.
    """

    spec: TensorSpec
    reading: Reading = Reading.SCORES
    keys: tuple[Any, ...] = ()
    single: Reading = Reading.LOGIT


@dataclass(frozen=True)
class Head:
    """The operators between logits and output, in order of execution, and the name of the logits."""

    logits: str
    operators: tuple[str, ...]


def find_answer(model: ModelProto, file: str, name: str | None = None) -> Answer:
    """Choose the output with the scores: the one that is asked for, the only one, or the only one beside labels.

    Raises:
        NotAClassifier: there is none or it is not clear which; the message names them.
    """
    value = _chosen(list(model.graph.output), file, name)
    behind = _tail(model, value.name)
    if value.type.WhichOneof("value") == "sequence_type" and behind and behind[0].op_type == "ZipMap":
        keys = next((helper.get_attribute_value(a) for a in behind[0].attribute if len(a.ints) or len(a.strings)), [])  # type: ignore[var-annotated]
        labels = tuple(key.decode() if isinstance(key, bytes) else key for key in keys)
        return Answer(TensorSpec(value.name, (None, len(labels)), "float32"), Reading.MAPS, labels)
    spec = spec_of(value, "output", file)
    if any(node.op_type == "ArgMax" for node in behind):
        return Answer(spec, Reading.LABEL)
    single = Reading.PROBABILITY if any(node.op_type == "Sigmoid" for node in behind) else Reading.LOGIT
    if all(size == 1 for size in spec.shape[1:]) and len(spec.shape) > 1:
        return Answer(spec, single, single=single)
    return Answer(spec, single=single)


def find_head(model: ModelProto, output: str) -> Head:
    """Walk back from the output to the input of the first softmax, log-softmax or sigmoid, or of an ArgMax or ZipMap.

    They saturate or are steps, and so hide the gradient; being monotone in each score, they leave the predicted class
    alone. Nothing is left out where none is found.
    """
    head, walked = Head(output, ()), list[str]()
    produced = {name for node in model.graph.node for name in node.output}
    for node in _tail(model, output):
        walked.insert(0, node.op_type)
        hides = node.op_type in _SATURATING and node.input[0] in produced  # one behind nothing is all there is
        if hides or node.op_type in _DECIDING:
            head = Head(node.input[0], tuple(walked))
    return head


def scores_of(values: Any, answer: Answer, classes: int = 0) -> NDArray[Any]:
    """Read onnxruntime's output as scores (N, K), or (N, K, 1, 1) and the like.

    Of two classes, some exporters declare one number a row and write two, or the other way round: what is there counts.

    Args:
        values: an array, or a list of maps.
        answer: how to read it.
        classes: K, needed for labels and to know that there are two.
    """
    if answer.reading is Reading.MAPS:
        return np.array([[row[key] for key in answer.keys] for row in values], np.float32)
    array = np.asarray(values)
    if answer.reading is Reading.LABEL:
        return np.eye(max(classes, 2), dtype=np.float32)[array.reshape(-1)]  # type: ignore[no-any-return]
    if array.ndim == 0 or prod(array.shape[1:]) != 1 or (answer.reading is Reading.SCORES and classes != 2):
        return array
    second = array.reshape(len(array), 1)
    if Reading.PROBABILITY in (answer.reading, answer.single):
        return np.concatenate([1 - second, second], 1)
    return np.concatenate([np.zeros_like(second), second], 1)


def _chosen(outputs: Sequence[ValueInfoProto], file: str, name: str | None) -> ValueInfoProto:
    names = one_line(", ".join(value.name for value in outputs)) or "none"
    if name is not None:
        for value in outputs:
            if value.name == name:
                return value
        raise NotAClassifier(f"{file}: there is no output {name!r}; its outputs are {names}")
    if len(outputs) == 1:
        return outputs[0]
    scores = [value for value in outputs if _may_be_scores(value.type)]
    labels = [value for value in outputs if kind_of(value.type) in ("int64 values", "int32 values", "string values")]
    if len(scores) == 1 and len(labels) == len(outputs) - 1:
        return scores[0]
    raise NotAClassifier(
        f"{file}: expected one output with scores, got {len(outputs)} ({names}); say which holds them with --scores NAME"  # noqa: E501
    )


def _may_be_scores(type_: TypeProto) -> bool:
    return type_.WhichOneof("value") == "sequence_type" or kind_of(type_) in (
        "float values", "double values", "float16 values", "bfloat16 values",
    )  # fmt: skip


def _tail(model: ModelProto, output: str) -> list[NodeProto]:
    """The chain of nodes that may stand between logits and output, last first."""
    producers = {name: node for node in model.graph.node for name in node.output}
    chain: list[NodeProto] = []
    while (node := producers.get(output)) is not None and len(chain) < _FEW_NODES and node.input:
        known = node.op_type in _SATURATING + _DECIDING + _TRANSPARENT
        if not known or node.domain not in ("", "ai.onnx", "ai.onnx.ml") or _over_batch(node):
            break
        if node.op_type in _DECIDING and any(earlier.op_type in _SATURATING for earlier in chain):
            break
        chain.append(node)
        output = node.input[0]
    return chain


def _over_batch(node: NodeProto) -> bool:
    """A softmax or an argmax over the batch axis is no classifier's head."""
    axis = next((a.i for a in node.attribute if a.name == "axis"), None)
    return (node.op_type in _SATURATING and axis == 0) or (node.op_type == "ArgMax" and axis in (None, 0))
