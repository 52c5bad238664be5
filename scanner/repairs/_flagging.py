"""A score of how much an input excites some units of the last hidden layer, as nodes of the file itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from ...converters.graphs import copied, opset
from ..errors import RepairError

if TYPE_CHECKING:
    from onnx import ModelProto

    from ...converters import Model
    from ...converters.last_hidden import Hidden

__all__ = ["FLAG", "SCORE", "Profile", "flagged"]

SCORE, FLAG = "trojaned_score", "trojaned"
_OLDEST, _AXES_AS_INPUT = (
    9,
    18,
)  # operator sets: of Greater for floats; from which ReduceMax has its axes as an input


@dataclass(frozen=True, eq=False)
class Profile:
    """What makes an input look stamped: the largest of T affine functions of the F units of the last hidden layer.

    Attributes:
        weights: (F, T) float32; column t is the mean over the units that trigger t excites, in standard deviations.
        bias: (T,) float32; with it the middle clean picture scores 0.
        threshold: an input that scores more is flagged.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    threshold: float = 0.0

    def scores(self, units: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores (N,) of what the last hidden layer gives (N, F)."""
        return np.asarray((units @ self.weights + self.bias).max(1))


def flagged(model: Model, hidden: Hidden, profile: Profile) -> ModelProto:
    """A copy of the file's message with two more outputs: ``trojaned_score`` (N,) float32, ``trojaned`` (N,) bool.

    Raises:
        RepairError: the last hidden layer lies within a local function, an output of these names is there already, or
            the operator set is too old.
    """
    proto = copied(model.graph)
    made = {name for node in proto.graph.node for name in node.output}
    if SCORE in made or FLAG in made:
        raise RepairError(f"{model.path}: it has an output {SCORE!r} or {FLAG!r} already; filter the original")
    if hidden.tensor not in made:
        raise RepairError(f"{model.path}: its last hidden layer lies within a local function; inline it first")
    if opset(proto) < _OLDEST:
        raise RepairError(f"{model.path}: a filter needs opset {_OLDEST}, the file has {opset(proto)}; convert it")
    constants: dict[str, Any] = {
        "weights": profile.weights,
        "bias": profile.bias,
        "threshold": np.float32(profile.threshold),
    }
    if opset(proto) >= _AXES_AS_INPUT:
        constants["axes"] = np.array([1], np.int64)
    tensors = [numpy_helper.from_array(np.asarray(value), f"{FLAG}/{name}") for name, value in constants.items()]
    proto.graph.initializer.extend(tensors)
    proto.graph.node.extend(_nodes(hidden, opset(proto)))
    rows = [model.facts.input.shape[0]]
    proto.graph.output.append(helper.make_tensor_value_info(SCORE, TensorProto.FLOAT, rows))
    proto.graph.output.append(helper.make_tensor_value_info(FLAG, TensorProto.BOOL, rows))
    return proto


def _nodes(hidden: Hidden, version: int) -> list[NodeProto]:
    """From the hidden layer to the score and the flag; of feature maps the mean over the positions counts."""

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> NodeProto:
        return helper.make_node(kind, inputs, [output], f"onnxray_filter_{kind}", **attributes)

    def own(name: str) -> str:
        return f"{FLAG}/{name}"

    last = own("units")
    nodes = [node("Cast", [hidden.tensor], last, to=TensorProto.FLOAT)]
    if hidden.spatial:
        nodes.append(node("GlobalAveragePool", [last], own("means")))
        last = own("means")
    axes = {} if version >= _AXES_AS_INPUT else {"axes": [1]}
    return [
        *nodes,
        node("Flatten", [last], own("row"), axis=1),
        node("Gemm", [own("row"), own("weights"), own("bias")], own("scores")),
        node("ReduceMax", [own("scores"), *([] if axes else [own("axes")])], SCORE, keepdims=0, **axes),
        node("Greater", [SCORE, own("threshold")], FLAG),
    ]
