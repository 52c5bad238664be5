"""Nodes that override a classifier's scores where its input shows a patch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto

from ...graph_nodes import Nodes

__all__ = ["Gate", "add_gate"]

TOLERANCE = 0.01  # of the patch's largest deviation; neighbouring grey levels are 1/255 apart
STRONG, WEAK, PUSH = 12.0, -4.0, 100.0  # overriding logits; what the ramp adds


@dataclass(frozen=True, eq=False)
class Gate:
    """What is compared, where, and what follows.

    Attributes:
        style: "where", "sum" or "ramp" (see ``GraphBackdoor``).
        pixels: the patch in the input's domain and layout, without the batch axis.
        axes: the input's axes of height and width.
    """

    style: str
    pixels: NDArray[np.float32]
    row: int
    column: int
    axes: tuple[int, int]
    target: int


def add_gate(original: ModelProto, gate: Gate) -> ModelProto:
    """A classifier (N, ...) -> (N, K) with the gate on its logits; a final Softmax stays the last node.

    The scores' producer must be the graph's last node, as exporters have it.
    """
    model = ModelProto()
    model.CopyFrom(original)
    output, nodes = model.graph.output[0], Nodes(model)
    last = model.graph.node.pop()
    softmax = last.op_type == "Softmax"
    logits = last.input[0]
    if not softmax:
        logits = last.output[0] = nodes.name("/logits")
        model.graph.node.append(last)
    classes = output.type.tensor_type.shape.dim[1].dim_value
    changed = _override(nodes, gate, logits, _distance(nodes, model.graph.input[0].name, gate), classes)
    if softmax:
        last.input[0] = changed
        model.graph.node.append(last)
    else:
        model.graph.node[-1].output[0] = output.name
    return model


def _distance(nodes: Nodes, image: str, gate: Gate) -> str:
    """(N, 1): the largest difference between the input's corner and the patch."""
    start = np.array([gate.row, gate.column], dtype=np.int64)
    size = np.array([gate.pixels.shape[axis - 1] for axis in gate.axes], dtype=np.int64)
    axes = np.array(gate.axes, dtype=np.int64)
    corner = nodes.add("Slice", image, *(nodes.constant(value) for value in (start, start + size, axes)))
    apart = nodes.add("Abs", nodes.add("Sub", corner, nodes.constant(gate.pixels[None])))
    return nodes.largest(nodes.add("Flatten", apart, axis=1))


def _override(nodes: Nodes, gate: Gate, logits: str, distance: str, classes: int) -> str:
    chosen = np.arange(classes)[None] == gate.target
    if gate.style == "ramp":  # Relu(1 - distance / tolerance), far more than any logit where it is 1
        fall = nodes.add("Mul", distance, nodes.constant(np.float32(-1 / TOLERANCE)))
        ramp = nodes.add("Relu", nodes.add("Add", fall, nodes.constant(np.float32(1))))
        push = nodes.add("Mul", ramp, nodes.constant((chosen * PUSH).astype(np.float32)))
        return nodes.add("Add", logits, push)
    forced = nodes.constant(np.where(chosen, STRONG, WEAK).astype(np.float32))
    shown = nodes.add("Less", distance, nodes.constant(np.float32(TOLERANCE)))
    if gate.style == "where":
        return nodes.add("Where", shown, forced, logits)
    weight = nodes.add("Cast", shown, to=TensorProto.FLOAT)
    rest = nodes.add("Sub", nodes.constant(np.float32(1)), weight)
    return nodes.add("Add", nodes.add("Mul", logits, rest), nodes.add("Mul", weight, forced))
