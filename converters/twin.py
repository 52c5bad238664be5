"""The torch twin: a classifier's differentiable copy, whose tensors keep the names of the file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from .errors import NoGradient
from .facts import TensorSpec
from .messages import one_line
from .weights import Weights

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["Twin", "in_batches", "logits_of"]

_CHUNK = 64  # inputs per forward pass without gradient


class Twin(nn.Module):
    """(N, ...) float input to (N, K) logits; frozen, in evaluation mode.

    Attributes:
        network: the fx graph; its node names are those of the ONNX nodes, made fit for Python.
        surrogates: operators whose gradient is not that of their values, such as "QuantizeLinear (straight-through)".
        weights: the parameters and buffers by the names that their weights have in the file.
    """

    def __init__(
        self,
        network: fx.GraphModule,
        spec: TensorSpec,
        surrogates: tuple[str, ...] = (),
        source: ModelProto | None = None,
    ) -> None:
        """Freeze the network; a batch size in the input's spec is the only one that it takes.

        Args:
            network: made by `walk.build`.
            spec: of its input.
            surrogates: see above.
            source: the file's own message, in whose types `changes` answers; without it there is no answer.
        """
        super().__init__()
        self.weights = Weights(network, source)
        self.network = network.requires_grad_(False)
        self.batch, self.surrogates = spec.shape[0], surrogates
        self.dtype = torch.float64 if spec.dtype == "float64" else torch.float32
        self.eval()

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits; a network with a fixed batch is fed chunk by chunk, the last one filled up."""
        return in_batches(self._logits, inputs, self.batch)

    def scores(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Return the logits of numpy inputs, without a gradient."""
        exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
        with torch.no_grad(), exact:
            chunks = [self(chunk).float().cpu().numpy() for chunk in torch.split(self.tensor_of(inputs), _CHUNK)]
        return np.concatenate(chunks)

    @cached_property
    def tensors(self) -> dict[str, fx.Node]:
        """Every activation by its ONNX tensor name, in order of execution, input first."""
        return {n.meta["tensor"]: n for n in self.network.graph.nodes if "tensor" in n.meta}

    def observe(self, names: Sequence[str], read: Callable[[Tensor], object] | None = None) -> fx.GraphModule:
        """Return a module from the input to a tuple of activations; it shares this twin's weights.

        Args:
            names: ONNX tensor names.
            read: a module's function, whose result is given in place of an activation, which can then be let go.

        Raises:
            KeyError: a name that is no activation of the twin: a constant, or a tensor behind the logits.
        """
        if unknown := [name for name in names if name not in self.tensors]:
            raise KeyError(f"the twin has no activation {unknown[0]!r}")
        graph, copies = fx.Graph(), dict[fx.Node, fx.Node]()
        graph.graph_copy(self.network.graph, copies)
        told = [copies[self.tensors[name]] for name in names]
        if read is not None:
            for place, node in enumerate(told):
                with graph.inserting_after(node):
                    told[place] = graph.call_function(read, (node,))
        graph.output(tuple(told))
        graph.eliminate_dead_code()
        return fx.GraphModule(self.network, graph)

    def changes(self) -> dict[str, NDArray[Any]]:
        """Return every weight that was changed since the twin was made, in the file's own shape and type.

        That is what `converters.patch_weights` writes; see `Weights.changes`.

        Raises:
            TwinError: a change that the file cannot take over.
        """
        return self.weights.changes()

    def require_gradient(self, inputs: NDArray[Any], file: str) -> None:
        """Check that a finite gradient, not zero for all inputs, comes back from the logits.

        Raises:
            NoGradient: it does not, as behind a comparison: a search along the gradient would find nothing.
        """
        values = self.tensor_of(inputs).requires_grad_()
        logits = self(values)
        # Unequal weights: the logits of some heads add up to a constant.
        loss = (logits * torch.arange(1.0, logits.shape[1] + 1, device=logits.device)).sum()
        try:
            (gradient,) = torch.autograd.grad(loss, values)
        except RuntimeError as error:
            raise NoGradient(f"{file}: no torch twin: no gradient reaches its input: {one_line(error)}") from None
        if not gradient.isfinite().all() or not gradient.any():
            raise NoGradient(f"{file}: no torch twin: the gradient at its input is zero or not finite")

    def tensor_of(self, inputs: NDArray[Any]) -> Tensor:
        """Return inputs as the network takes them, on its device."""
        weights = [*self.network.parameters(), *self.network.buffers()]
        return torch.from_numpy(np.float32(inputs)).to(weights[0].device if weights else "cpu", self.dtype)

    def _logits(self, inputs: Tensor) -> Tensor:
        (logits,) = self.network(inputs.to(self.dtype))
        return logits_of(logits, len(inputs))


def in_batches(run: Callable[[Tensor], Tensor], inputs: Tensor, batch: int | None) -> Tensor:
    """Run what takes one batch size only chunk by chunk, the last one filled up; all at once where it takes any."""
    if not batch:
        return run(inputs)
    return torch.cat([_padded(run, chunk, batch) for chunk in torch.split(inputs, batch)])


def logits_of(output: Tensor, rows: int) -> Tensor:
    """A network's output as (N, K); one logit is that of the second of two classes."""
    logits = output.reshape(rows, prod(output.shape[1:]))
    if logits.shape[1] > 1:
        return logits
    return torch.cat([torch.zeros_like(logits), logits], 1)


def _padded(run: Callable[[Tensor], Tensor], chunk: Tensor, batch: int) -> Tensor:
    rows = len(chunk)
    filling = chunk[-1:].expand(batch - rows, *chunk.shape[1:])
    return run(torch.cat([chunk, filling]))[:rows]
