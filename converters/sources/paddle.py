"""PaddlePaddle's inference models: a program beside its weights."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ModelError, NotAClassifier
from ..messages import one_line
from . import ConversionOptions, Converted, Framework, require
from ._paddle_program import is_program, refuse_unsafe

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_OPSET = 17
_PARAMETERS = ".pdiparams"


class Paddle(Framework):
    """What ``paddle.jit.save`` writes; operators that touch files or call Python are refused before it is loaded."""

    name = "PaddlePaddle inference model"
    suffixes = (".pdmodel", ".json")
    extra = "paddle"

    def recognises(self, path: Path) -> bool:
        """By the suffix, and by the first key of a program in JSON."""
        suffix = path.suffix.lower()
        return path.is_file() and (suffix == ".pdmodel" or (suffix == ".json" and is_program(path)))

    def convert(self, path: Path, options: ConversionOptions) -> Converted:
        """Judge the program, export it; the weights are those of the same name in the same folder."""
        weights = path.with_suffix(_PARAMETERS)
        if not weights.is_file():
            raise ModelError(f"{path}: its weights are missing; put {weights.name} into the same folder")
        refuse_unsafe(path)
        require("paddle", self.extra)
        paddle2onnx = require("paddle2onnx", self.extra)
        exporter = f"paddle2onnx {paddle2onnx.__version__}"
        return Converted(_exported(path, weights, paddle2onnx), _predictor(path, weights), exporter)


def _exported(path: Path, weights: Path, paddle2onnx: Any) -> Any:
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "model.onnx"
        try:
            paddle2onnx.export(str(path), str(weights), str(out), opset_version=_OPSET, optimize_tool="None")
            return onnx.load(out)
        except Exception as error:  # noqa: BLE001 - paddle2onnx raises anything
            raise ModelError(f"{path}: paddle2onnx cannot convert it: {one_line(error, 200)}") from None


def _predictor(path: Path, weights: Path) -> Callable[[NDArray[Any]], NDArray[Any]]:
    from paddle import inference

    config = inference.Config(str(path), str(weights))
    config.disable_glog_info()
    config.switch_ir_optim(False)
    predictor = inference.create_predictor(config)
    inputs, outputs = predictor.get_input_names(), predictor.get_output_names()
    if len(inputs) != 1 or len(outputs) != 1:
        raise NotAClassifier(f"{path}: expected one input and one output, got {len(inputs)} and {len(outputs)}")

    def predict(values: NDArray[Any]) -> NDArray[Any]:
        predictor.get_input_handle(inputs[0]).copy_from_cpu(values)
        predictor.run()
        scores: NDArray[Any] = predictor.get_output_handle(outputs[0]).copy_to_cpu()
        return scores

    return predict
