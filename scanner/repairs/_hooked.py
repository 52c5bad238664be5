"""The twin with some of its tensors replaced on the way through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, fx

from ...converters.twin import Twin, in_batches, logits_of

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
        self._batch = twin.batch
        self._at = {twin.tensors[name].name: hook for name, hook in hooks.items()}

    def run_node(self, n: fx.Node) -> Any:
        """See ``fx.Interpreter.run_node``."""
        value = super().run_node(n)
        return self._at[n.name](value) if n.name in self._at else value

    def logits(self, inputs: Tensor) -> Tensor:
        """As the twin's, (N, K)."""
        return in_batches(lambda part: logits_of(self.run(part)[0], len(part)), inputs, self._batch)


def along_channels(values: Tensor, like: Tensor, spatial: bool) -> Tensor:
    """Numbers of channels (C,), shaped to meet those of a layer's output: (N, C, ...) if spatial, else (N, ..., C)."""
    return values.reshape(-1, *[1] * (like.dim() - 2)) if spatial else values
