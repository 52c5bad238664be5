"""Files made to do harm, each small and harmless to keep, with the decision that onnxray has to come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from onnx import ModelProto

__all__ = ["Case", "Make"]

Make = Callable[[Path], ModelProto | bytes]
"""From the folder that the file will lie in, where it may put files beside it, to the file."""


@dataclass(frozen=True)
class Case:
    """One threat.

    Attributes:
        name: of the case and its file.
        expected: "refused" before any parser, "contained" by the sandbox, or the audit rule that has to find it.
        make: builds the file.
    """

    name: str
    expected: str
    make: Make
