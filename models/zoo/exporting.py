"""A trained network of the zoo as an ONNX file."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from ...scanner.errors import OptionError
from .attacks import Attack
from .networks import Fits
from .recipe import Export

__all__ = ["export_network"]


class _Served(nn.Module):
    """The network as the file shows it: its input's layout and its ending."""

    def __init__(self, network: nn.Module, how: Export) -> None:
        super().__init__()
        self.network, self.last, self.softmax = network, how.layout == "NHWC", how.softmax

    def forward(self, x: Tensor) -> Tensor:
        """Inputs as the file takes them to scores (N, K)."""
        scores: Tensor = self.network(x.permute(0, 3, 1, 2) if self.last else x)
        return torch.softmax(scores, dim=1) if self.softmax else scores


def export_network(network: nn.Module, fits: Fits, how: Export, attack: Attack | None, path: Path) -> None:
    """Write the network, with what the attack puts into the file.

    Raises:
        OptionError: the newer exporter is wanted and onnxscript is not installed.
    """
    shape = (*fits.shape[1:], fits.shape[0]) if how.layout == "NHWC" else fits.shape
    example = torch.zeros(1, *shape, dtype=torch.int64 if fits.vocabulary else torch.float32)
    served = _Served(network, how).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (_by_dynamo if how.exporter == "dynamo" else _by_torchscript)(served, example, how, path)
    model = onnx.load(path)
    if attack is not None:
        model = attack.implant(model)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _by_torchscript(network: nn.Module, example: Tensor, how: Export, path: Path) -> None:
    modes = torch.onnx.TrainingMode  # PRESERVE keeps the network's own mode, and its batch normalisation apart
    torch.onnx.export(
        network, (example,), path, dynamo=False, opset_version=how.opset, input_names=["input"],
        output_names=["output"], training=modes.EVAL if how.fold else modes.PRESERVE,
        dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}} if how.free_batch else None,
    )  # fmt: skip


def _by_dynamo(network: nn.Module, example: Tensor, how: Export, path: Path) -> None:
    if find_spec("onnxscript") is None:
        raise OptionError("torch's newer exporter needs onnxscript: pip install 'onnxray[torch-export]'")
    torch.onnx.export(
        network, (example.repeat(2, *(1,) * (example.ndim - 1)) if how.free_batch else example,), path, dynamo=True,
        opset_version=how.opset, input_names=["input"], output_names=["output"], external_data=False, verbose=False,
        dynamic_shapes=({0: torch.export.Dim("batch")},) if how.free_batch else None,
    )  # fmt: skip
