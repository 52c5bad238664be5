"""What ``torch.export.load`` would run, unpickle or evaluate is taken out of the archive or refused before.

Measured on torch 2.13. Loading a ``.pt2`` file (1) unpickles weights, constants and sample inputs, without limits where
the file asks for it; (2) evaluates symbolic sizes as Python text (through sympy); (3) resolves the name of every
operator as an attribute of the package torch, ``torch.os.system`` included; (4) imports modules that a tree spec
names; (5) pastes names into Python source, and its shape guards as they are; (6) starts compiled code that lies in it.
Each has a check here; what a check does not know is refused. The graph's metadata and guards are taken out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import ModelError
from ..messages import one_line
from . import Refused
from ._archive import members

__all__ = ["sanitised"]

_KEPT = re.compile(
    r"(archive_\w+|byteorder|version|\.data/\w+|models/model\.json|data/(weights|constants|sample_inputs)/.+)"
)
_PLAIN = re.compile(r"[\w.:+\-/#<>]*")  # a name: nothing in it can call, index or end a line
_TARGET = re.compile(
    r"torch\.ops\.(aten|prims|quantized_decomposed|torchvision)\.(?!save\b|from_file\b)\w+(\.\w+)?"
    r"|torch\.ops\.higher_order\.(cond|wrap_with_set_grad_enabled|wrap_with_autocast|scan|while_loop|map_impl)"
    r"|torch\.(sym_\w+|_sym_sqrt)|math\.\w+"
    r"|_operator\.(add|sub|mul|floordiv|truediv|mod|pow|neg|abs|eq|ne|lt|le|gt|ge|and_|or_|xor|not_|getitem|pos)"
)
# Symbolic sizes as torch writes them: calls of sympy's and torch's own pure functions, symbols and numbers.
_SIZE_WORDS = (
    "Symbol|Integer|Rational|Float|Add|Mul|Pow|Abs|Max|Min|Mod|And|Or|Not|Eq|Ne|Lt|Le|Gt|Ge|floor|ceiling|true|false"
    "|True|False|oo|int_oo|Equality|Unequality|LessThan|GreaterThan|StrictLessThan|StrictGreaterThan|PythonMod|FloorDiv"
    "|CleanDiv|CeilDiv|ModularIndexing|Where|Identity|LShift|RShift|PowByNatural|FloatPow|FloatTrueDiv|IntTrueDiv"
    "|ToFloat|CeilToInt|FloorToInt|TruncToInt|TruncToFloat|RoundToInt|RoundDecimal"
    "|positive|nonnegative|integer|real|finite|precision|evaluate"
)
_SIZE = re.compile(
    r"(?:Symbol\('\w+'|Float\('[\d.+\-e]+'"
    rf"|(?:{_SIZE_WORDS}|[su]\d+|zuf\d+|zf\d+)\b|\d+(?:\.\d+)?\b|[\s+\-*/(),<>=!&|~])*+"
)
_TREE_TYPES = ("builtins.tuple", "builtins.list", "builtins.dict", "builtins.NoneType", None)
_COMPILED = ("data/aotinductor/", "data/executorch/", "data/mtia/")


def sanitised(path: Path) -> dict[str, bytes]:
    """Return the entries that describe the exported program, all checked.

    Raises:
        Refused: it holds something that could run code; naming it.
        ModelError: it is damaged or no exported program.
    """
    contents = members(path)
    if any(name.startswith(_COMPILED) for name in contents):
        raise _refusal(path, "compiled code, which would run as it is", "torch.export.save without compiling it")
    if "models/model.json" not in contents:
        raise ModelError(f"{path}: holds no program as newer versions of torch save it; save it again with one of them")
    kept = {name: content for name, content in contents.items() if _KEPT.fullmatch(name)}
    program = _json(path, kept["models/model.json"])
    kept["models/model.json"] = json.dumps(_Checker(path).checked(program)).encode()
    for name in [name for name in kept if name.endswith("_config.json")]:
        _require_plain_payloads(path, _json(path, kept[name]))
    return kept


def _require_plain_payloads(path: Path, config: Any) -> None:
    """Payloads are tensors; torch unpickles all others."""
    payloads = config.get("config", {}) if isinstance(config, dict) else {}
    for name, payload in payloads.items():
        file = str(payload.get("path_name", "")) if isinstance(payload, dict) else ""
        if not re.fullmatch(r"(weight|tensor)_\d+", file):
            raise _refusal(path, f"{one_line(name, 60)!r} as a pickled object ({one_line(file, 60)})")


class _Checker:
    """A walk over the program's JSON; each kind of text has a rule of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rules: dict[str, Callable[[str], object]] = {
            "target": _TARGET.fullmatch,
            "as_operator": _TARGET.fullmatch,
            "expr_str": _SIZE.fullmatch,
            "in_spec": _is_plain_tree,
            "out_spec": _is_plain_tree,
            "as_string": lambda text: True,  # an argument: torch writes it as a literal
            "as_strings": lambda text: True,
        }

    def checked(self, value: Any, key: str = "") -> Any:
        """Return the value without metadata and guards."""
        if isinstance(value, dict):
            return {self._name(k): self._entry(k, v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.checked(item, key) for item in value]
        if isinstance(value, str) and not self._rules.get(key, _PLAIN.fullmatch)(value):
            raise _refusal(self._path, f"{one_line(value, 80)!r} where {key or 'a name'} should be")
        return value

    def _entry(self, key: str, value: Any) -> Any:
        if key == "metadata":
            return {}
        return [] if key == "guards_code" else self.checked(value, key)

    def _name(self, key: str) -> str:
        if not _PLAIN.fullmatch(key):
            raise _refusal(self._path, f"{one_line(key, 80)!r} as a name")
        return key


def _is_plain_tree(text: str) -> bool:
    """A tree spec of tuples, lists and dicts with plain keys; "" for none."""
    try:
        return not text or _is_plain_node(json.loads(text)[1])
    except (ValueError, LookupError, TypeError, AttributeError):
        return False


def _is_plain_node(node: Any) -> bool:
    context = json.loads(node["context"]) if isinstance(node["context"], str) else node["context"]
    plain = context is None or (isinstance(context, list) and all(map(_is_plain_key, context)))
    return node["type"] in _TREE_TYPES and plain and all(map(_is_plain_node, node["children_spec"]))


def _is_plain_key(key: Any) -> bool:
    return isinstance(key, int) or (isinstance(key, str) and _PLAIN.fullmatch(key) is not None)


def _json(path: Path, content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: damaged ({one_line(error)}); save it again with torch.export.save") from None


def _refusal(path: Path, what: str, way: str = "") -> Refused:
    return Refused(
        f"{path}: refused: the exported program holds {what}; loading it could run code. If you trust it, "
        f"{'save it with ' + way if way else 'export it to ONNX in the program that made it'}"
    )
