"""Files as downloads leave them behind: cut off, empty, pages and pointers in place of models, links in circles."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import onnx
from onnx.external_data_helper import set_external_data

__all__ = ["BROKEN", "Broken"]

_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"ab" * 32 + b"\nsize 84756\n"
_PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please sign in.</body></html>\n"


@dataclass(frozen=True)
class Broken:
    """One kind.

    Attributes:
        file: its name, and so its name in a catalog.
        code: under which it is not scanned; "" where only a scan can tell.
        make: writes it, given its path and the bytes of a sound model.
        called: name in a catalog below the folder; "" for ``file``.
    """

    file: str
    code: str
    make: Callable[[Path, bytes], object]
    called: str = ""


def _bytes(path: Path, _: bytes, content: bytes) -> None:
    path.write_bytes(content)


def _link(path: Path, _: bytes, to: str) -> None:
    path.symlink_to(to)


def _external(path: Path, sound: bytes, beside: bytes | None) -> None:
    model = onnx.load(io.BytesIO(sound))
    largest = max(model.graph.initializer, key=lambda held: len(held.raw_data))
    set_external_data(largest, f"{path.stem}.bin", 0, len(largest.raw_data))
    largest.ClearField("raw_data")
    path.write_bytes(model.SerializeToString())
    if beside is not None:
        path.with_suffix(".bin").write_bytes(beside)


def _zip(path: Path, sound: bytes, member: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, sound)


BROKEN = (
    Broken("truncated.onnx", "", lambda path, sound: path.write_bytes(sound[: len(sound) // 2])),
    Broken("pointer.onnx", "not-downloaded", partial(_bytes, content=_POINTER)),
    Broken("circle.onnx", "loop", partial(_link, to="circle.onnx")),
    Broken("empty.onnx", "unreadable", partial(_bytes, content=b"")),
    Broken("page.onnx", "unreadable", partial(_bytes, content=_PAGE)),
    Broken("again", "loop", partial(_link, to="..")),
    Broken("gone.onnx", "unreadable", partial(_link, to="was-here.onnx")),
    Broken("no-data.onnx", "missing", partial(_external, beside=None)),
    Broken("pointed-data.onnx", "not-downloaded", partial(_external, beside=_POINTER)),
    Broken("damaged.zip", "bad-archive", partial(_bytes, content=b"PK\x03\x04" + bytes(range(256)))),
    Broken("climbing.zip", "bad-member", partial(_zip, member="../up.onnx"), "climbing.zip!../up.onnx"),
    Broken("weights.pt", "unreadable", partial(_bytes, content=pickle.dumps({"weights": [0.0] * 9}))),
    Broken("noise.onnx", "", partial(_bytes, content=bytes(i * i * 7919 % 251 for i in range(4000)))),
    Broken("flipped.onnx", "", lambda path, sound: path.write_bytes(bytes(255 - b for b in sound[:900]) + sound[900:])),
)
