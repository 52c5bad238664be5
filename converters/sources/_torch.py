"""PyTorch to ONNX through torch.onnx, shared by all formats of PyTorch."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from ..errors import ModelError, OnnxrayError
from ..messages import one_line
from . import ConversionOptions, Converted, require
from ._quiet import quiet

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto
    from torch.export import ExportedProgram

__all__ = ["converted_module", "example_of", "exported", "from_torch", "predictor", "scripted"]

_EXTRA = "torch-export"
_INPUT, _OUTPUT = "input", "logits"
_OPSET = 17  # of the older exporter, its newest


def from_torch(module: nn.Module, example: torch.Tensor, *, samples: NDArray[Any] | None = None) -> ModelProto:
    """Convert a classifier in Python; its own predictions are compared with onnxruntime's.

    Args:
        module: takes one tensor (N, ...), gives logits (N, K); put in evaluation mode for the time of the export.
        example: one input or more, (N, ...), on the module's device.
        samples: real inputs (N, ...), compared beside random ones.

    Returns:
        The ONNX message, all weights inside, its batch axis free where the module allows that.

    Raises:
        MissingExtra: onnxscript is not installed.
        ModelError: torch.onnx cannot export it, or the result does not predict the same.
    """
    from ._driver import checked_message

    training = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with quiet():
            converted = converted_module(module, example, type(module).__name__)
        return checked_message(converted, type(module).__name__, ConversionOptions(samples=samples))
    finally:
        for part, mode in training.items():
            part.training = mode


def converted_module(module: nn.Module, example: torch.Tensor, file: str) -> Converted:
    """Export a module in evaluation mode: by the newer exporter, else by the older one, which a note then tells.

    Raises:
        MissingExtra: onnxscript is not installed.
        ModelError: both fail; with the reasons of both.
    """
    require("onnxscript", _EXTRA)
    pair = torch.cat([example[:1], example[:1]])  # a batch of one would be taken for a constant
    try:
        program = torch.export.export(module, (pair,), dynamic_shapes=({0: torch.export.Dim("batch")},))
        model, exporter = exported(program, (pair,))
        return Converted(model, predictor(module), exporter, shape=tuple(example.shape[1:]))
    except OnnxrayError:
        raise
    except Exception as newer:  # noqa: BLE001 - the exporters raise anything
        converted = scripted(module, pair, file, f"; the newer exporter: {one_line(newer, 120)}")
        note = f"torch.onnx's newer exporter failed ({one_line(newer, 120)}); the older one was used"
        return Converted(converted.model, converted.predict, converted.exporter, (note,), converted.shape)


def exported(program: ExportedProgram, example: tuple[torch.Tensor, ...]) -> tuple[ModelProto, str]:
    """Return an exported program as ONNX, by the newer exporter, and who wrote it."""
    names = {"input_names": [_INPUT], "output_names": [_OUTPUT]}
    onnx_program = torch.onnx.export(program, example, dynamo=True, verbose=False, **names)  # type: ignore[arg-type]
    if onnx_program is None:
        raise ModelError("torch.onnx gave no program")
    return onnx_program.model_proto, f"torch.onnx {torch.__version__}"


def scripted(module: nn.Module, example: torch.Tensor, file: str, context: str = "") -> Converted:
    """Export by the older exporter, by way of TorchScript.

    Raises:
        ModelError: it fails; with the reason and the context.
    """
    from onnx import load_model_from_string

    buffer = io.BytesIO()
    axes = {_INPUT: {0: "batch"}, _OUTPUT: {0: "batch"}}
    names: dict[str, Any] = {"input_names": [_INPUT], "output_names": [_OUTPUT], "dynamic_axes": axes}
    file_like: Any = buffer  # taken, if not declared
    try:
        torch.onnx.export(module, (example,), file_like, dynamo=False, opset_version=_OPSET, **names)
    except Exception as error:  # noqa: BLE001 - the exporter raises anything
        raise ModelError(f"{file}: torch.onnx cannot export it: {one_line(error, 160)}{context}") from None
    model = load_model_from_string(buffer.getvalue())
    exporter = f"torch.onnx {torch.__version__} (TorchScript)"
    return Converted(model, predictor(module), exporter, shape=tuple(example.shape[1:]))


def example_of(options: ConversionOptions, file: str) -> torch.Tensor:
    """Return zeros of the input shape that the user gave, in a batch of two.

    Raises:
        ModelError: none was given, and the format does not hold it.
    """
    shape = options.input_shape
    if shape is None or len(shape) < 2:
        raise ModelError(
            f"{file}: the shape of its input is not in the file; give it, batch first, as in "
            f"`onnxray convert {file} --input-shape 1,3,224,224 -o model.onnx`"
        )
    return torch.zeros((2, *shape[1:]))


def predictor(run: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Return a module as a function on arrays, without gradients."""
    device = next((p.device for p in run.parameters()), None) if isinstance(run, nn.Module) else None

    def predict(inputs: NDArray[Any]) -> NDArray[np.float32]:
        with torch.no_grad():
            scores: NDArray[np.float32] = run(torch.from_numpy(inputs).to(device)).float().cpu().numpy()
        return scores

    return predict
