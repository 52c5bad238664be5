"""Slice: onnx2torch indexes with a list, which torch has announced to read as something else."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from onnx2torch.onnx_graph import OnnxGraph
from onnx2torch.onnx_node import OnnxNode
from onnx2torch.utils.common import OnnxMapping, OperationConverterResult, onnx_mapping_from_node
from torch import Tensor, nn

from . import operator

__all__ = ["FixedSlice", "Slice"]


class Slice(nn.Module):
    """Cut axes by tensors of bounds."""

    def forward(
        self, values: Tensor, starts: Tensor, ends: Tensor, axes: Tensor | None = None, steps: Tensor | None = None
    ) -> Tensor:
        """Return ``values[start:end:step]`` along each axis; the first axes and steps of 1 by default."""
        along = range(len(starts)) if axes is None else axes.tolist()
        by = [1] * len(starts) if steps is None else steps.tolist()
        return _cut(values, starts.tolist(), ends.tolist(), along, by)


class FixedSlice(nn.Module):
    """Cut axes by bounds written into the node, as up to opset 9."""

    def __init__(self, starts: Sequence[int], ends: Sequence[int], axes: Sequence[int]) -> None:
        """Take one start, end and axis for each cut."""
        super().__init__()
        self.starts, self.ends, self.axes = starts, ends, axes

    def forward(self, values: Tensor) -> Tensor:
        """Return ``values[start:end]`` along each axis."""
        return _cut(values, self.starts, self.ends, self.axes, [1] * len(self.starts))


def _cut(
    values: Tensor, starts: Sequence[int], ends: Sequence[int], axes: Sequence[int], steps: Sequence[int]
) -> Tensor:
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        kept = range(values.shape[axis])[start:end:step]  # ONNX clips bounds as Python does
        if step == 1:
            values = values.narrow(axis, kept.start, len(kept))
        else:
            values = values.index_select(axis, torch.tensor(kept, dtype=torch.int64, device=values.device))
    return values


@operator("Slice", 10, 11, 13)
def _slice(node: OnnxNode, graph: OnnxGraph) -> OperationConverterResult:
    return OperationConverterResult(Slice(), onnx_mapping_from_node(node))


@operator("Slice", 1)
def _fixed_slice(node: OnnxNode, graph: OnnxGraph) -> OperationConverterResult:
    starts, ends = node.attributes["starts"], node.attributes["ends"]
    module = FixedSlice(starts, ends, node.attributes.get("axes", range(len(starts))))
    return OperationConverterResult(module, OnnxMapping(node.input_values, node.output_values))
