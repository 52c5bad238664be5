"""Answers as folders: for each model its report and its pictures."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ...converters.messages import one_line
from ..errors import OnnxrayError
from .whole_file import write_whole

if TYPE_CHECKING:
    from ..answers import Answer

__all__ = ["folder_name", "write_folders"]

_FILE = re.compile(r"\w[\w.-]{0,200}", re.ASCII)
_LONGEST = 80


def write_folders(answers: Iterable[Answer], root: Path) -> int:
    """Write a folder for each model with a report, and say how many; older files of the same names are replaced.

    Raises:
        OnnxrayError: a folder cannot be written, or a store names a file that would lie elsewhere.
    """
    from ..contract import encode

    taken: set[str] = set()
    for answer in answers:
        if answer.report is None:
            continue
        folder = root / folder_name(answer, taken)
        files = {**answer.files, "report.json": encode(answer.report).encode() + b"\n"}
        for name, content in files.items():
            if not _FILE.fullmatch(name):  # a store may come from anywhere
                raise OnnxrayError(
                    f"{one_line(answer.name)}: its result names a file {one_line(name, 60)!r}; not written"
                )
            write_whole(folder / name, [content])
    return len(taken)


def folder_name(answer: Answer, taken: set[str]) -> str:
    """A name for the folder of a model that is not among those taken, and now is."""
    plain = re.sub(r"\W+", "_", answer.name.removeprefix("hf://").removesuffix(".onnx"), flags=re.ASCII)
    name = f"{plain.strip('_')[-_LONGEST:]}-{answer.sha256[:8]}"
    if name in taken:
        name = next(f"{name}-{i}" for i in range(2, len(taken) + 3) if f"{name}-{i}" not in taken)
    taken.add(name)
    return name
