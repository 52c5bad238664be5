"""A trained torch classifier as an ONNX file."""

from __future__ import annotations

import warnings
from pathlib import Path

import onnx
import torch
from torch import nn

from ..scanner.version import __version__

__all__ = ["OPSET", "export"]

OPSET = 17


def export(network: nn.Module, path: Path, image_shape: tuple[int, int, int], softmax: bool = True) -> None:
    """Write the network with a free batch axis, input "image" and output "probabilities" or "logits".

    Batch normalisation is folded into the convolutions, as deployed models have it. torch's older exporter is used
    because the newer one needs a package (onnxscript) that nothing else here does.

    Args:
        network: (N, C, H, W) float32 -> logits (N, K); it is left in eval mode.
        image_shape: (C, H, W).
        softmax: whether the file ends in Softmax.
    """
    output = "probabilities" if softmax else "logits"
    classifier = nn.Sequential(network, nn.Softmax(dim=1)) if softmax else network
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            classifier.eval(), (torch.zeros(1, *image_shape),), path, dynamo=False, opset_version=OPSET,
            input_names=["image"], output_names=[output], dynamic_axes={"image": {0: "batch"}, output: {0: "batch"}},
        )  # fmt: skip
    model = onnx.load(path)
    model.producer_name, model.producer_version = "onnxray.models", __version__
    onnx.checker.check_model(model)
    onnx.save(model, path)
