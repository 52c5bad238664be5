"""The operators of a PaddlePaddle program, read without PaddlePaddle: none may touch files or call Python."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import ModelError
from ..messages import one_line
from . import Refused

__all__ = ["is_program", "refuse_unsafe"]

_UNSAFE = re.compile(
    r"(py_(func|layer)|(save|load)(_\w+)?|print|run_program|assert|custom_\w*|\w*engine\w*|c_\w+|send\w*|recv\w*|"
    r"listen\w*|read_file|\w*reader\w*|\w*rpc\w*|distributed_\w+|pull_\w+|push_\w+)_?"
)
_START = 256  # bytes
_BLOCKS, _OPERATORS, _TYPE = 1, 4, 3  # fields of ProgramDesc, BlockDesc and OpDesc in framework.proto
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5  # wire types of protobuf


def is_program(path: Path) -> bool:
    """Whether a JSON file begins as a program does."""
    with path.open("rb") as file:
        return file.read(_START).lstrip().startswith(b'{"base_code"')


def refuse_unsafe(path: Path) -> None:
    """Pass a program of plain arithmetic.

    Raises:
        Refused: an operator reads or writes files, calls Python or another engine.
        ModelError: it is damaged.
    """
    content = path.read_bytes()
    try:
        names = set(_of_json(json.loads(content)) if path.suffix.lower() == ".json" else _of_protobuf(content))
    except (ValueError, IndexError, RecursionError) as error:
        raise ModelError(f"{path}: not readable as a PaddlePaddle program ({one_line(error, 100)})") from None
    found = sorted(name for name in names if _UNSAFE.fullmatch(name))
    if found:
        raise Refused(
            f"{path}: refused: its program calls {one_line(', '.join(found), 160)}, which may touch files or run "
            "code; save it again without, or export it to ONNX where it was made"
        )


def _of_json(value: Any) -> Iterator[str]:
    """Names of operators, which stand under "#" after the number of their dialect."""
    if isinstance(value, dict):
        name = value.get("#")
        if isinstance(name, str):
            yield name.rpartition(".")[2]
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _of_json(part)


def _of_protobuf(program: bytes) -> Iterator[str]:
    for block in _parts(program, _BLOCKS):
        for operator in _parts(block, _OPERATORS):
            for name in _parts(operator, _TYPE):
                yield name.decode("utf-8")


def _parts(message: bytes, wanted: int) -> Iterator[bytes]:
    """Values of one field of a protobuf message that are messages or texts."""
    at = 0
    while at < len(message):
        key, at = _number(message, at)
        size, kind = 0, key & 7
        if kind == _VARINT:
            _, at = _number(message, at)
        elif kind == _BYTES:
            size, at = _number(message, at)
        elif kind in (_EIGHT, _FOUR):
            size = 8 if kind == _EIGHT else 4
        else:
            raise ValueError(f"a field of unknown kind {kind}")
        if at + size > len(message):
            raise ValueError("it ends too early")
        if kind == _BYTES and key >> 3 == wanted:
            yield message[at : at + size]
        at += size


def _number(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
