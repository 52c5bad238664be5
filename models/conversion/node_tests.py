"""The ONNX backend tests of single operators, which ship with onnx: the twin's answer beside the right one."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any

import numpy as np
import torch
from onnx import ModelProto, numpy_helper

from ...converters.dtypes import tensor_of
from ...converters.messages import one_line
from ...converters.normalize import inline_functions
from ...converters.to_torch import network_of
from ...converters.walk import Unsupported

__all__ = ["Case", "Outcome", "Result", "cases", "run", "tensor"]

_RELATIVE, _ABSOLUTE = 1e-3, 1e-4
_HALF = 1e-2  # relative and absolute: operators in half precision round after each step


class Outcome(Enum):
    """What became of a test."""

    MATCH = "match"
    DIFFERS = "differs"
    UNSUPPORTED = "unsupported"  # refused with a reason
    FAILS = "fails"  # converted, and an exception when run


@dataclass(frozen=True)
class Case:
    """A model of one operator or few, its inputs and the outputs that the standard asks for.

    Attributes:
        name: onnx's own, such as "test_relu".
        model: never modified.
        inputs: arrays, or lists of arrays for sequences; None for an optional that is empty.
        outputs: likewise.
    """

    name: str
    model: ModelProto
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]

    @property
    def operators(self) -> tuple[str, ...]:
        """The operators in it, such as ("Relu",) or ("ai.onnx.ml.Scaler",)."""
        return tuple(sorted({f"{n.domain}{'.' if n.domain else ''}{n.op_type}" for n in self.model.graph.node}))


@dataclass(frozen=True)
class Result:
    """A test's outcome, and why it is no match."""

    case: Case
    outcome: Outcome
    reason: str = ""


@cache
def cases() -> tuple[Case, ...]:
    """Every node test of the installed onnx, by name; those of random and of training operators are left out."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tests = load_model_tests(kind="node")
    found = [
        Case(test.name, test.model, tuple(test.data_sets[0][0]), tuple(test.data_sets[0][1]))
        for test in tests
        if test.model is not None and test.data_sets and not _unusable(test.model)
    ]
    return tuple(sorted(found, key=lambda case: case.name))


def run(case: Case) -> Result:
    """Convert a test's model, run it and compare all its outputs; no exception escapes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network = network_of(inline_functions(case.model))
    except Unsupported as error:
        return Result(case, Outcome.UNSUPPORTED, one_line(error))
    except NotImplementedError as error:
        return Result(case, Outcome.UNSUPPORTED, one_line(error))
    try:
        with torch.no_grad():
            got = network(*[tensor(value) for value in case.inputs])
    except Exception as error:  # noqa: BLE001 - whatever an operator raises is what is to be told
        return Result(case, Outcome.FAILS, f"{type(error).__name__}: {one_line(error)}")
    for name, value, expected in zip((o.name for o in case.model.graph.output), got, case.outputs, strict=False):
        if difference := _difference(value, expected):
            return Result(case, Outcome.DIFFERS, f"{name}: {difference}")
    return Result(case, Outcome.MATCH)


def _unusable(model: ModelProto) -> bool:
    """Whether the standard gives no answer to compare with (random), or trains instead of answering."""
    kinds = Counter((node.domain, node.op_type) for node in model.graph.node)
    return any("training" in domain or name.startswith("Random") or name in _RANDOM for domain, name in kinds)


_RANDOM = ("Bernoulli", "Multinomial")


def tensor(value: Any) -> Any:
    """An array of a test as what the network takes: a tensor, a list of them, or None."""
    if value is None:
        return None
    if isinstance(value, list):
        return [tensor(part) for part in value]
    return tensor_of(value if hasattr(value, "data_type") else numpy_helper.from_array(np.asarray(value)))


def _difference(got: Any, expected: Any) -> str:
    """What is wrong with an output; "" if nothing is."""
    if isinstance(expected, list):
        if not isinstance(got, list | tuple) or len(got) != len(expected):
            return f"expected a sequence of {len(expected)}, got {type(got).__name__}"
        return next((d for d in map(_difference, got, expected) if d), "")
    if expected is None or got is None:
        return "" if got is expected else f"expected {expected}, got {got}"
    want = numpy_helper.to_array(expected) if hasattr(expected, "data_type") else np.asarray(expected)
    if not isinstance(got, torch.Tensor) or want.dtype.kind in "OUS":
        return f"expected {want.dtype.name}, got {type(got).__name__}"
    if tuple(got.shape) != want.shape:
        return f"expected shape {want.shape}, got {tuple(got.shape)}"
    small = want.dtype.name in ("float16", "bfloat16") or want.dtype.name.startswith("float8")
    wide = "complex128" if want.dtype.kind == "c" else "float64"
    relative, absolute = (_HALF, _HALF) if small else (_RELATIVE, _ABSOLUTE)
    have = got.to(torch.complex128 if want.dtype.kind == "c" else torch.float64).numpy()
    target = want.astype(np.float32).astype(wide) if small or want.dtype.kind == "V" else want.astype(wide)
    close = np.isclose(have, target, relative, absolute, equal_nan=True)
    return "" if close.all() else f"{int((~close).sum())} of {close.size} values, by up to {_largest(have, target):.3g}"


def _largest(have: Any, target: Any) -> float:
    with np.errstate(invalid="ignore"):
        return float(np.nanmax(np.abs(have - target)))
