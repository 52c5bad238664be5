"""TensorFlow's SavedModel folders."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from ..errors import ModelError, NotAClassifier
from ..messages import one_line
from . import ConversionOptions, Converted, Framework, Refused, require
from ._saved_model_graph import sanitised

_GRAPH, _VARIABLES = "saved_model.pb", "variables"
_WAY = "If you trust it, replace that where the model was made and save it again, or export it to ONNX there"


class SavedModel(Framework):
    """Folders of TensorFlow 2; operators that are no plain arithmetic are refused before anything is loaded."""

    name = "TensorFlow SavedModel folder"
    suffixes = ()
    extra = "keras"

    def recognises(self, path: Path) -> bool:
        """By the graph's file in the folder."""
        return (path / _GRAPH).is_file()

    def convert(self, path: Path, options: ConversionOptions) -> Converted:
        """Judge the graph, load what was judged, export its serving signature."""
        content = (path / _GRAPH).read_bytes()
        if b"PyFunc" in content:
            raise Refused(f"{path}: refused: it calls a Python function (PyFunc), which could be any code. {_WAY}")
        tf = require("tensorflow", self.extra)
        require("tf2onnx", self.extra)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / _GRAPH).write_bytes(sanitised(content, str(path)))
            if (path / _VARIABLES).is_dir():
                shutil.copytree(path / _VARIABLES, Path(folder) / _VARIABLES)
            return _converted(_loaded(tf, folder, path), path, self.extra)


def _loaded(tf: Any, folder: str, path: Path) -> Any:
    try:
        return tf.saved_model.load(folder)
    except Exception as error:  # noqa: BLE001 - TensorFlow raises anything on a folder it cannot read
        raise ModelError(f"{path}: TensorFlow {tf.__version__} cannot load it: {one_line(error, 200)}") from None


def _converted(loaded: Any, path: Path, extra: str) -> Converted:
    from ._tensorflow import converted_function

    signature = loaded.signatures.get("serving_default")
    if signature is None:
        raise ModelError(f"{path}: it has no signature serving_default; save it with one, as Keras' model.export does")
    inputs, outputs = signature.structured_input_signature[1], signature.structured_outputs
    if len(inputs) != 1 or len(outputs) != 1:
        raise NotAClassifier(f"{path}: expected one input and one output, got {len(inputs)} and {len(outputs)}")
    ((name, spec),), (answer,) = inputs.items(), outputs

    def scores(values: Any) -> Any:
        return loaded.signatures["serving_default"](**{name: values})[answer]  # the variables live as long as `loaded`

    return converted_function(scores, tuple(spec.shape), spec.dtype.name, str(path), extra)
