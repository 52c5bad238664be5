"""Variants of one model: the same network, quantised, in half precision or optimised, side by side."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath

from . import Entry

__all__ = ["grouped"]

_VARIANT = re.compile(
    r"(?:[-_.](?:quantized|quant|quint8|qint8|qdq|dynamic|int4|int8|uint4|uint8|q4|q4f16|q8|bnb4|fp16|fp32|f16|f32|bf16|"
    r"float16|float32|half|O[1-4]|opt|optimi[sz]ed|simplified|sim|merged|arm64|avx2|avx512|avx512_vnni))+$",
    re.IGNORECASE,
)


def grouped(entries: Iterable[Entry]) -> list[Entry]:
    """The entries, each with the group that it shares with another; "" for those that stand alone."""
    found = list(entries)
    bases = [_base(entry) for entry in found]
    stems: dict[str, set[str]] = {}
    for folder, stem in bases:
        stems.setdefault(folder, set()).add(stem)
    sole = [entry.group or _called(base, stems) for entry, base in zip(found, bases, strict=True)]
    shared = Counter(sole)
    return [
        replace(entry, group=group if entry.group or shared[group] > 1 else "")
        for entry, group in zip(found, sole, strict=True)
    ]


def _base(entry: Entry) -> tuple[str, str]:
    """The folder of the repository, and the model's name without the words that name a variant."""
    archive = entry.name.removesuffix(f"!{entry.member}") if entry.member else ""
    path = PurePosixPath(archive, entry.member) if archive else PurePosixPath(entry.name)
    folder = path.parent.parent if path.parent.name == "onnx" else path.parent
    return entry.origin.get("repository") or str(folder), _VARIANT.sub("", path.stem)


def _called(base: tuple[str, str], stems: dict[str, set[str]]) -> str:
    folder, stem = base
    return folder if len(stems[folder]) == 1 else f"{folder}/{stem}"
