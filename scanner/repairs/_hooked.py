"""The twin with some of its tensors replaced on the way through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, fx

from ...converters.twin import Twin

__all__ = ["Hooked", "along_channels"]


class Hooked(fx.Interpreter):
    """Runs the twin's graph, and puts a function of a tensor in its place wherever one is given."""

    def __init__(self, twin: Twin, hooks: Mapping[str, Callable[[Tensor], Tensor]]) -> None:
        """Args: the twin, and the functions by the ONNX name of the tensor that they are given.

        Raises:
            KeyError: the twin has no such tensor.
        """
        super().__init__(twin.network)
        self.extra_traceback = False
        self._twin = twin
        self._at = {twin.tensors[name].name: hook for name, hook in hooks.items()}

    def run_node(self, n: fx.Node) -> Any:
        """See ``fx.Interpreter.run_node``."""
        value = super().run_node(n)
        return self._at[n.name](value) if n.name in self._at else value

    def logits(self, inputs: Tensor) -> Tensor:
        """As the twin's, (N, K), for at most its batch."""
        rows, batch = len(inputs), self._twin.batch
        if batch and rows < batch:
            inputs = torch.cat([inputs, inputs[-1:].expand(batch - rows, *inputs.shape[1:])])
        (logits,) = self.run(inputs)
        logits = logits.reshape(len(inputs), -1)[:rows]
        return logits if logits.shape[1] > 1 else torch.cat([torch.zeros_like(logits), logits], 1)


def along_channels(values: Tensor, like: Tensor, spatial: bool) -> Tensor:
    """Numbers of channels (C,), shaped to meet those of a layer's output: (N, C, ...) if spatial, else (N, ..., C)."""
    return values.reshape(-1, *[1] * (like.dim() - 2)) if spatial else values
