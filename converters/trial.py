"""One forward pass of a new twin, which finds the uses of its operators that they refuse."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from .facts import TensorSpec
from .messages import one_line
from .walk import Unsupported

__all__ = ["try_out"]


def try_out(network: fx.GraphModule, spec: TensorSpec, dtype: torch.dtype) -> None:
    """Run a single input of zeros, or the one batch that the network takes.

    Nothing is run where an axis behind the batch is free: then the first real inputs tell.

    Raises:
        Unsupported: naming the node whose operator refuses this use of it, and why.
    """
    batch, *rest = spec.shape
    if None in rest:
        return
    zeros = torch.zeros([batch or 1, *(size or 1 for size in rest)], dtype=dtype)
    with torch.no_grad():
        try:
            _Trial(network).run(zeros)
        except Unsupported:
            raise
        except (RuntimeError, ValueError, IndexError, TypeError):
            return  # zeros may be no input for it: whether it runs is told by the comparison, on real ones


class _Trial(fx.Interpreter):
    """Runs node by node, and names the one that refuses."""

    def __init__(self, network: fx.GraphModule) -> None:
        super().__init__(network)
        self.extra_traceback = False  # its messages are many lines long

    def run_node(self, n: fx.Node) -> Any:
        try:
            return super().run_node(n)
        except NotImplementedError as error:
            operator, node = n.meta.get("operator", ""), n.meta.get("node", n.name)
            name = operator if node == operator else f"{operator} {one_line(node)!r}"
            raise Unsupported(f"{name}: {one_line(error)}") from error
