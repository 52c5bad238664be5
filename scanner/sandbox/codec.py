"""Values as plain data and back, driven by type hints: what crosses from a process that may have been taken over.

Pickle would let the other side run code here. This is JSON with a few marked objects, and arrays as raw bytes behind
it. The reader decides every type from the hint that it holds itself, so the other side can lie about values and never
about what they are.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

__all__ = ["CodecError", "decode", "decode_named", "encode", "hints_of"]

_DTYPES = ("<f2", "<f4", "<f8", "<i4", "<i8", "|i1", "|u1", "|b1")
_ARRAY, _MAP, _TUPLE, _OBJECT = "$array", "$map", "$tuple", "$object"
_PLAIN = (str, int, float, bool, type(None))


class CodecError(ValueError):
    """Not what the hint says."""


def encode(value: object) -> tuple[bytes, bytes]:
    """A value of dataclasses, collections, plain values, paths and arrays: as JSON, and its arrays' bytes."""
    writer = _Writer()
    return json.dumps(writer.plain(value)).encode(), b"".join(writer.arrays)


def decode(text: bytes, arrays: bytes, hint: Any) -> Any:
    """The value again, of the type that the hint names; texts without what would repaint a terminal.

    Raises:
        CodecError: it is anything else.
    """
    try:
        return _Reader(arrays).read(json.loads(text), hint)
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise CodecError(f"expected data of type {hint}: {error}") from None


def decode_named(text: bytes, arrays: bytes, hints: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping of names again, each value of the type that its own hint names.

    Raises:
        CodecError: it is anything else.
    """
    try:
        reader = _Reader(arrays)
        return {name: reader.read(value, hints[name]) for name, value in json.loads(text)[_MAP]}
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise CodecError(f"expected named data: {error}") from None


class _Writer:
    def __init__(self) -> None:
        self.arrays: list[bytes] = []
        self.known: dict[int, tuple[int, object]] = {}  # an object that comes twice is one object on the other side

    def plain(self, value: Any) -> Any:
        """JSON for a value."""
        if isinstance(value, np.ndarray):
            return self.array(value)
        if isinstance(value, Enum):
            return value.value
        if isinstance(value, _PLAIN):
            return value
        if is_dataclass(value) and not isinstance(value, type):
            return self.object(value)
        if isinstance(value, Mapping):
            return {_MAP: [[self.plain(k), self.plain(v)] for k, v in value.items()]}
        if isinstance(value, tuple):
            return {_TUPLE: [self.plain(v) for v in value]}
        if isinstance(value, Sequence | set | frozenset):
            return [self.plain(v) for v in value]
        return value.item() if isinstance(value, np.generic) else str(value)

    def object(self, value: Any) -> Any:
        """A dataclass: its number and, the first time, its fields."""
        if id(value) in self.known:
            return {_OBJECT: self.known[id(value)][0]}
        self.known[id(value)] = len(self.known), value
        number = self.known[id(value)][0]
        return {_OBJECT: number, "fields": {f.name: self.plain(getattr(value, f.name)) for f in fields(value)}}

    def array(self, value: np.ndarray[Any, Any]) -> Any:
        """Where its bytes stand, and how they are to be read."""
        dtype = value.dtype.newbyteorder("<")
        start = sum(map(len, self.arrays))
        self.arrays.append(np.ascontiguousarray(value, dtype).tobytes())
        return {_ARRAY: [dtype.str, list(value.shape), start]}


class _Reader:
    def __init__(self, arrays: bytes) -> None:
        self.arrays = arrays
        self.known: dict[int, Any] = {}

    def read(self, data: Any, hint: Any) -> Any:
        """What the hint names, from JSON."""
        origin = get_origin(hint)
        if origin in (Union, types.UnionType):
            return self.one_of(data, get_args(hint))
        if origin is Literal:
            return get_args(hint)[get_args(hint).index(data)]
        if hint in (Any, object):
            return self.anything(data)
        if origin is np.ndarray or hint is np.ndarray:
            return self.array(data)
        if origin in (tuple, list) or (isinstance(origin, type) and issubclass(origin, Mapping | Sequence)):
            return self.collection(data, origin, get_args(hint))
        return self.object(data, hint) if is_dataclass(hint) else _scalar(data, hint)

    def one_of(self, data: Any, hints: Sequence[Any]) -> Any:
        """The first hint that fits."""
        for hint in hints:
            try:
                return self.read(data, hint)
            except (CodecError, TypeError, KeyError, ValueError):
                continue
        raise CodecError(f"nothing of {hints}")

    def collection(self, data: Any, origin: Any, hints: Sequence[Any]) -> Any:
        """A mapping, a tuple or a list."""
        if issubclass(origin, Mapping):
            return {self.read(k, hints[0]): self.read(v, hints[1]) for k, v in data[_MAP]}
        if origin is tuple:
            parts = data[_TUPLE]
            each = [hints[0]] * len(parts) if hints[1:] == (...,) else hints
            return tuple(self.read(part, hint) for part, hint in zip(parts, each, strict=True))
        if not isinstance(data, list):
            raise CodecError("expected a list")
        return [self.read(part, hints[0]) for part in data]

    def object(self, data: Any, hint: Any) -> Any:
        """A dataclass, or the one of that number which was read before."""
        number = data[_OBJECT]
        if "fields" in data:
            told, known = data["fields"], hints_of(hint)
            names = [f.name for f in fields(hint)]
            if sorted(told) != sorted(names):
                raise CodecError(f"expected the fields of {hint.__name__}, got {sorted(told)[:20]}")
            self.known[number] = hint(**{name: self.read(told[name], known[name]) for name in names})
        if type(self.known.get(number)) is not hint:
            raise CodecError(f"expected a {hint.__name__}")
        return self.known[number]

    def array(self, data: Any) -> Any:
        """An array of numbers, of its own memory."""
        dtype, shape, start = data[_ARRAY]
        if dtype not in _DTYPES or not all(isinstance(n, int) and n >= 0 for n in (*shape, start)):
            raise CodecError(f"no array is described by {dtype!s}, {shape}, {start}")
        count = int(np.prod(shape, dtype=object))
        return np.frombuffer(self.arrays, dtype, count, start).reshape(shape).copy()

    def anything(self, data: Any) -> Any:
        """Plain values in collections, and arrays."""
        if isinstance(data, list):
            return [self.anything(part) for part in data]
        if not isinstance(data, dict):
            return _printable(data) if isinstance(data, str) else data
        if _ARRAY in data:
            return self.array(data)
        if _TUPLE in data:
            return tuple(self.anything(part) for part in data[_TUPLE])
        if _MAP in data:
            return {_scalar(k, str | int): self.anything(v) for k, v in data[_MAP]}
        return {str(name): self.anything(part) for name, part in data["fields"].items()}


def _scalar(data: Any, hint: Any) -> Any:
    if hint in (None, type(None)) and data is None:
        return None
    if hint is float and type(data) in (int, float):
        return float(data)
    if isinstance(hint, type) and (issubclass(hint, Path) or issubclass(hint, Enum)) and isinstance(data, str):
        return hint(data)
    if type(data) in ((hint,) if isinstance(hint, type) else get_args(hint)):
        return _printable(data) if isinstance(data, str) else data
    raise CodecError(f"expected {hint}, got {str(data)[:60]!r}")


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() or c in "\n\t" else " " for c in text)


@cache
def hints_of(owner: Any) -> dict[str, Any]:
    """A class's or a function's type hints, names that its module imports for type checkers alone included."""
    module = sys.modules[owner.__module__]
    return get_type_hints(owner, localns=_for_type_checkers(module))


@cache
def _for_type_checkers(module: types.ModuleType) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for block in ast.parse(inspect.getsource(module)).body:
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING":
            for node in block.body:
                found |= dict(_imported(node, module.__package__ or ""))
    return found


def _imported(node: ast.stmt, package: str) -> list[tuple[str, Any]]:
    if isinstance(node, ast.ImportFrom):
        source = import_module("." * node.level + (node.module or ""), package)
        return [(a.asname or a.name, getattr(source, a.name)) for a in node.names]
    names = node.names if isinstance(node, ast.Import) else []
    return [(a.asname or a.name, import_module(a.name)) for a in names]
