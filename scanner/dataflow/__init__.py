"""Where values of a file's inputs go, through functions and bodies of control flow; knows ONNX, runs nothing."""

from __future__ import annotations

from .flow import SHAPE, VALUE, Flow
from .steps import ABSENT, Program, Step

__all__ = ["ABSENT", "SHAPE", "VALUE", "Flow", "Program", "Step"]
