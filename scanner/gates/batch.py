"""Where the answer to one example depends on others of its batch."""

from __future__ import annotations

from collections.abc import Iterator

from ..dataflow import ABSENT, Flow, Step
from ..dataflow.operators import LAYERS, POINTWISE, REDUCTIONS
from ..findings import Severity
from . import Gate, way

__all__ = ["batch_gates"]

INDEXED = {"Gather": 1, "GatherElements": 1, "GatherND": 1, "ScatterND": 1, "ScatterElements": 1, "Compress": 1}
"""Operators that pick by an index, and which of what they read the index is."""

KEEP = POINTWISE | (LAYERS - {"LSTM", "GRU", "RNN", "Einsum"}) | {
    "BatchNormalization", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "Flatten", "Softmax",
    "LogSoftmax", "LayerNormalization", "InstanceNormalization", "LRN", "Pad", "Resize", "Concat", "Identity", "LpPool",
    "Slice", "Split", "Upsample", "GroupNormalization", "DepthToSpace", "SpaceToDepth",
}  # fmt: skip
"""Operators whose first axis is that of the first thing that they read."""


def batch_gates(flow: Flow, single: bool) -> Iterator[Gate]:
    """Every step that mixes rows of the batch; of a detector, which numbers its boxes through the batch, a note.

    Args:
        single: whether the file takes one example at a time, so that there is nothing to mix.
    """
    axes = _batch_axes(flow)
    for step in flow.program.steps:
        mixed = next((r for r in flow.values(step) if axes.get(r) is not None), None)
        if mixed is None or single:
            continue
        over = axes.get(step.reads[0])
        indexed = INDEXED.get(step.op, len(step.reads)) < len(step.reads)
        if indexed and over is not None and _axis(flow, step) == over:
            yield from _indexed(flow, step)
        elif step.op in ("TopK", "CumSum") and _axis(flow, step) == axes[mixed]:
            yield _gate(flow, step, mixed, Severity.MEDIUM, f"{step.op} orders or sums over the examples of a batch")


def _indexed(flow: Flow, step: Step) -> Iterator[Gate]:
    index = step.reads[INDEXED[step.op]]
    detects = any(other.op == "NonMaxSuppression" for other in flow.program.steps)
    severity = Severity.NOTE if detects else Severity.HIGH
    if index in flow.values(step):
        words = f"the index with which {step.op} picks examples of the batch depends on the values of the input"
        yield _gate(flow, step, index, severity, f"{words}: one user's answer can be given to, or ruled by, another")


def _gate(flow: Flow, step: Step, control: int, severity: Severity, words: str) -> Gate:
    mains = tuple(v for v in flow.values(step) if v != control)
    return Gate("batch", severity, words, step, (control,), mains, (), way(flow, [control], None, step))


def _axis(flow: Flow, step: Step) -> int | None:
    """The axis along which a step picks; None if it cannot be told."""
    if step.op in ("GatherND", "ScatterND"):
        return step.attributes["batch_dims"].i if "batch_dims" in step.attributes else 0
    if step.op == "CumSum":
        axis = flow.constant(step.reads[1]) if len(step.reads) > 1 else None
        return None if axis is None or not axis.size or axis.dtype.kind not in "iu" else int(axis.ravel()[0])
    default = -1 if step.op == "TopK" else 0
    return step.attributes["axis"].i if "axis" in step.attributes else default


def _batch_axes(flow: Flow) -> dict[int, int | None]:
    """For each tensor the axis of the batch, where that can be told."""
    axes: dict[int, int | None] = dict.fromkeys(flow.program.inputs, 0)
    for step in flow.program.steps:
        known = [axes[r] for r in step.reads if r != ABSENT and axes.get(r) is not None]
        if known:
            axes.update(dict.fromkeys(step.writes, _moved(flow, step, known[0])))
    return axes


def _moved(flow: Flow, step: Step, axis: int | None) -> int | None:
    """Where the axis is in what a step gives."""
    first = step.reads[0]
    if step.op in KEEP:
        return axis
    if step.op == "Transpose" and "perm" in step.attributes:
        return list(step.attributes["perm"].ints).index(axis) if axis in step.attributes["perm"].ints else None
    if step.op in REDUCTIONS:
        kept = "keepdims" not in step.attributes or step.attributes["keepdims"].i
        return axis if kept or axis == 0 else None
    if step.op == "Reshape" and axis == 0 and len(step.reads) > 1:
        shape = flow.constant(step.reads[1])
        if shape is None or shape.ndim != 1 or len(shape) < 2 or shape.dtype.kind not in "iu":
            return None
        return 0 if int(shape[0]) in (0, -1) else None
    if step.op == "Squeeze" and axis == 0:
        return 0
    if step.op in ("Gather", "GatherElements", "ScatterND", "ScatterElements") and first != ABSENT:
        return axis if _axis(flow, step) != axis or step.op.startswith("Scatter") else None
    return None
