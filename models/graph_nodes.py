"""Adds nodes and constants to a graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, helper, numpy_helper

__all__ = ["Nodes"]


class Nodes:
    """Appends nodes and constants whose names look like an exporter's."""

    def __init__(self, model: ModelProto) -> None:
        self.graph, self.functions = model.graph, model.functions
        self.opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
        self.taken = {name for node in self.graph.node for name in node.output}
        self.taken |= {tensor.name for tensor in self.graph.initializer}

    def constant(self, value: NDArray[Any] | np.generic[Any]) -> str:
        """A constant's name."""
        name = self.name("onnx::Constant")
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """The only output of a new node."""
        output = self.name(f"/{kind}_output")
        self.graph.node.append(helper.make_node(kind, inputs, [output], name=f"{output}_node", **attributes))
        return output

    def largest(self, rows: str) -> str:
        """(N, M) -> (N, 1); the axes became an input with opset 18."""
        if self.opset < 18:
            return self.add("ReduceMax", rows, axes=[1], keepdims=1)
        return self.add("ReduceMax", rows, self.constant(np.array([1], dtype=np.int64)), keepdims=1)

    def name(self, stem: str) -> str:
        """One that is not taken yet, and takes it."""
        name = next(f"{stem}_{i}" for i in range(len(self.taken) + 1) if f"{stem}_{i}" not in self.taken)
        self.taken.add(name)
        return name
