"""TensorFlow Lite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ModelError, NotAClassifier
from ..messages import one_line
from . import ConversionOptions, Converted, Framework, Refused, require

_IDENTIFIER = b"TFL3"  # of the flatbuffer, after four bytes


class TFLite(Framework):
    """Networks of built-in operators, quantised ones too."""

    name = "TensorFlow Lite model"
    suffixes = (".tflite",)
    extra = "tflite"

    def recognises(self, path: Path) -> bool:
        """By the flatbuffer's identifier, or by the suffix."""
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(8)[4:] == _IDENTIFIER or path.suffix.lower() == ".tflite"

    def convert(self, path: Path, options: ConversionOptions) -> Converted:
        """Refuse operators from outside, export the rest."""
        require("tensorflow", self.extra)
        require("tf2onnx", self.extra)
        content = path.read_bytes()
        _refuse_custom(content, str(path))
        interpreter = _interpreter(content, str(path))
        import tf2onnx

        from ._tensorflow import exporter

        try:
            model = tf2onnx.convert.from_tflite(str(path), opset=17)[0]
        except Exception as error:  # noqa: BLE001 - tf2onnx raises anything
            raise ModelError(f"{path}: tf2onnx cannot convert it: {one_line(error, 200)}") from None
        return Converted(model, _Predictor(interpreter), exporter(self.extra))


def _refuse_custom(content: bytes, file: str) -> None:
    """TensorFlow's own operators (Flex) can reach files and Python, custom ones are anybody's."""
    from tf2onnx.tflite.Model import Model

    try:
        model = Model.GetRootAsModel(content, 0)
        codes = [model.OperatorCodes(number).CustomCode() for number in range(model.OperatorCodesLength())]
    except Exception as error:  # noqa: BLE001 - a damaged flatbuffer raises anything
        raise ModelError(
            f"{file}: not readable as TensorFlow Lite ({one_line(error, 100)}); download it again"
        ) from None
    found = sorted({code.decode("utf-8", "replace") for code in codes if code})
    if found:
        raise Refused(
            f"{file}: refused: it holds operators from outside TensorFlow Lite ({one_line(', '.join(found), 160)}), "
            "which may touch files or run code; convert it again with built-in operators only, or export to ONNX there"
        )


def _interpreter(content: bytes, file: str) -> Any:
    import tensorflow as tf

    try:
        interpreter = tf.lite.Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
    except Exception as error:  # noqa: BLE001 - the interpreter raises anything on a damaged file
        raise ModelError(f"{file}: TensorFlow Lite cannot load it: {one_line(error, 200)}") from None
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1 or len(outputs) != 1:
        raise NotAClassifier(f"{file}: expected one input and one output, got {len(inputs)} and {len(outputs)}")
    return interpreter


class _Predictor:
    """The interpreter's scores, in batches of the size that the file holds."""

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        (self._input,), (self._output,) = interpreter.get_input_details(), interpreter.get_output_details()
        self._size = max(1, int(self._input["shape"][0]))

    def __call__(self, inputs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        rows = []
        for start in range(0, len(inputs), self._size):
            chunk = inputs[start : start + self._size]
            filled = np.concatenate([chunk, np.repeat(chunk[-1:], self._size - len(chunk), 0)])
            self._interpreter.set_tensor(self._input["index"], filled)
            self._interpreter.invoke()
            rows.append(self._interpreter.get_tensor(self._output["index"])[: len(chunk)])
        return np.concatenate(rows)
