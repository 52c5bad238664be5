"""Normalised graph to torch module, on onnx2torch."""

from __future__ import annotations

import warnings
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto
from torch import Tensor, nn

from .errors import TwinError
from .messages import one_line
from .normalize import normalize
from .signature import input_spec

__all__ = ["Twin", "to_torch"]

_CHUNK = 64  # inputs per forward pass without gradient


class Twin(nn.Module):
    """A classifier's differentiable copy: (N, ...) float input to (N, K) logits; frozen, in evaluation mode."""

    def __init__(self, network: nn.Module, batch: int | None = None) -> None:
        """Freeze the network, in float32; `batch` is the only batch size that it takes, None if it takes any."""
        super().__init__()
        self.network = network.float().requires_grad_(False)
        self.batch = batch
        self.eval()

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits; a network with a fixed batch is fed chunk by chunk, the last one filled up."""
        if not self.batch:
            return self._logits(inputs)
        return torch.cat([self._padded(chunk, self.batch) for chunk in torch.split(inputs, self.batch)])

    def scores(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Return the logits of numpy inputs, without a gradient."""
        exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
        with torch.no_grad(), exact:
            chunks = [self(chunk).cpu().numpy() for chunk in torch.split(self._tensor(inputs), _CHUNK)]
        return np.concatenate(chunks)

    def require_gradient(self, inputs: NDArray[Any], file: str) -> None:
        """Check that a finite gradient, not zero for all inputs, comes back from the logits.

        Raises:
            TwinError: it does not, as behind a comparison: a search along the gradient would find nothing.
        """
        values = self._tensor(inputs).requires_grad_()
        logits = self(values)
        # Unequal weights: the logits of some heads add up to a constant.
        loss = (logits * torch.arange(1.0, logits.shape[1] + 1, device=logits.device)).sum()
        try:
            (gradient,) = torch.autograd.grad(loss, values)
        except RuntimeError as error:
            raise TwinError(f"{file}: no torch twin: no gradient reaches its input: {one_line(error)}") from None
        if not gradient.isfinite().all() or not gradient.any():
            raise TwinError(f"{file}: no torch twin: the gradient at its input is zero or not finite")

    def _tensor(self, inputs: NDArray[Any]) -> Tensor:
        weights = [*self.network.parameters(), *self.network.buffers()]
        return torch.from_numpy(np.float32(inputs)).to(weights[0].device if weights else "cpu")

    def _padded(self, chunk: Tensor, batch: int) -> Tensor:
        rows = len(chunk)
        filling = chunk[-1:].expand(batch - rows, *chunk.shape[1:])
        return self._logits(torch.cat([chunk, filling]))[:rows]

    def _logits(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.network(inputs)
        return logits.reshape(len(inputs), prod(logits.shape[1:]))


def to_torch(model: ModelProto, file: str) -> Twin:
    """Convert a checked classifier; the result is not yet compared with anything.

    Raises:
        TwinError: naming the operators that are not supported, or what else stopped the conversion.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            normalized = normalize(model)
            return Twin(_convert(normalized, file), input_spec(normalized.graph, file).shape[0])
    except TwinError:
        raise
    except Exception as error:  # noqa: BLE001 - a foreign converter on a foreign graph may raise anything
        raise TwinError(
            f"{file}: no torch twin: the conversion stops with {type(error).__name__}: {one_line(error)}"
        ) from None


def _convert(model: ModelProto, file: str) -> nn.Module:
    from . import operators  # before onnx2torch, whose import it prepares

    operators.register()
    import onnx2torch

    if missing := _missing_operators(model):
        raise TwinError(f"{file}: no torch twin: operators not supported: {', '.join(missing)}")
    network: nn.Module = onnx2torch.convert(model)
    return network


def _missing_operators(model: ModelProto) -> list[str]:
    """Name every operator without a converter, where onnx2torch would stop at the first."""
    from onnx2torch.node_converters import get_converter

    versions = {opset.domain: opset.version for opset in model.opset_import}
    missing = set()
    for node in model.graph.node:
        version = versions.get(node.domain, 0)
        try:
            get_converter(node.op_type, version, node.domain)
        except NotImplementedError:
            missing.add(f"{node.domain}{'.' if node.domain else ''}{node.op_type} (opset {version})")
    return sorted(missing)
