"""What a Keras configuration may name: Keras' own layers. Everything that could run other code is refused unloaded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..errors import ModelError
from ..messages import one_line
from . import Refused

__all__ = ["refuse_code"]

_CODE = {
    "Lambda": "a Lambda layer, which is Python code",
    "__lambda__": "a Python function, as bytecode",
    "__typespec__": "a type specification, which is looked up by name",
    "TorchModuleWrapper": "a TorchModuleWrapper, which is a pickle",
    "TFSMLayer": "a TFSMLayer, which loads another program from a path",
    "JaxLayer": "a JaxLayer, which is Python code",
    "FlaxLayer": "a FlaxLayer, which is Python code",
}
_PARTS = "activations|applications|constraints|dtype_policies|initializers|layers|losses|metrics|quantizers|random|regularizers"  # noqa: E501
_CLASSES = re.compile(rf"keras(\.src)?(\.({_PARTS}|backend|engine|models|ops|optimizers)(\.\w+)*)?")
_FUNCTIONS = re.compile(r"builtins|keras(\.src)?\.(activations|initializers|losses|metrics|regularizers)(\.\w+)*")
_LOOKUPS = ("StringLookup", "IntegerLookup", "TextVectorization")
_DEPTH = 200
_WAY = (
    "If you trust it, load it in the program that made it, replace that by Keras' own layers or leave it out, and save "
    "the model again; or export it to ONNX there with model.export('model.onnx', format='onnx')"
)


def refuse_code(config: Any, file: str) -> None:
    """Pass a configuration, as read from JSON, of which every object is Keras' own.

    Raises:
        Refused: it names something else, or a layer that holds or fetches code or files.
        ModelError: it is nested beyond all sense.
    """
    for found in _objects(config, file, 0):
        reason = _reason(found)
        if reason is not None:
            raise Refused(f"{file}: refused: it holds {reason}, and loading it could run any code. {_WAY}")


def _objects(value: Any, file: str, depth: int) -> Iterator[dict[str, Any]]:
    """Every mapping inside, outermost first."""
    if depth > _DEPTH:
        raise ModelError(f"{file}: its configuration is nested more than {_DEPTH} deep; it is damaged")
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _objects(part, file, depth + 1)


def _reason(found: dict[str, Any]) -> str | None:
    if "class_name" not in found:
        return None
    name, module, registered = found["class_name"], found.get("module"), found.get("registered_name")
    if not isinstance(name, str) or not isinstance(module, str | None) or not isinstance(registered, str | None):
        return "an object whose name is no text"
    if name in _CODE:
        return _CODE[name]
    if not name.isidentifier() or ">" in (registered or ""):
        return f"a custom object ({one_line(registered or name, 80)})"
    if not _from_keras(name, module):
        return f"an object of another module than Keras' own ({one_line(f'{module}.{_named(found)}', 80)})"
    config = found.get("config")
    if name in _LOOKUPS and isinstance(config, dict) and isinstance(config.get("vocabulary"), str):
        return f"a {name} layer that reads a file ({one_line(config['vocabulary'], 80)})"
    return None


def _from_keras(name: str, module: str | None) -> bool:
    if module is None:
        return True
    return (_FUNCTIONS if name == "function" or module == "builtins" else _CLASSES).fullmatch(module) is not None


def _named(found: dict[str, Any]) -> object:
    config = found.get("config")
    return config if found["class_name"] == "function" and isinstance(config, str) else found["class_name"]
