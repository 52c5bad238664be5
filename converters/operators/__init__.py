"""The operator table: what each ONNX operator is in torch, one family a file; a file counts by being in this folder.

An operator is a plain function under `@operator`. Its positional parameters are the ONNX inputs in order, with ``None``
for one that is left out and ``*values`` where their number is free; its keyword-only parameters are the ONNX attributes
under their own names, with ONNX's defaults. Attributes arrive as Python values (bytes as str), tensors as tensors and
subgraphs as functions from tensors to a tuple of tensors. An attribute without a parameter stops the conversion: it is
never ignored silently. Three more keyword-only parameters may be asked for: `_outputs`, how many outputs the node
names, `_opset`, the version that the model imports, and `_types`, the inputs' TensorProto.DataType, 0 where it is not
declared.

The annotations are part of the contract:

- a parameter annotated `Ints`, `Floats` or `Number` arrives as a Python constant where the graph knows it and as a
  tensor where it is computed; `ints`, `floats` and `number` read both;
- a function whose return annotation starts with ``tuple`` gives one value for each ONNX output; any other gives the
  single output.

An operator that has something to prepare, such as the arrays of a tree ensemble, is an nn.Module class instead: its
constructor takes the attributes, its `forward` the inputs.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache, cached_property
from typing import Any, TypeVar

from torch import Tensor

__all__ = [
    "Floats", "Gradient", "Ints", "Number", "Operator", "find", "floats", "ints", "number", "operator", "table",
]  # fmt: skip

Ints = Sequence[int] | Tensor
Floats = Sequence[float] | Tensor
Number = float | Tensor

Function = TypeVar("Function", bound=Callable[..., Any])


class Gradient(Enum):
    """How an operator's gradient relates to its values."""

    EXACT = "exact"  # autograd's own, or zero almost everywhere because the values are steps
    STRAIGHT_THROUGH = "straight-through"  # that of the rounding left out
    SOFT = "soft"  # that of a smoothed decision, where the exact one is zero
    NONE = "none"  # the output is discrete: an index, a comparison, a shape


@dataclass(frozen=True)
class Operator:
    """One operator as of one version of its domain.

    Attributes:
        domain: "" for ONNX's own.
        name: as in the file, such as "Conv".
        since: the first opset of the domain for which the function holds.
        function: see the module's docstring.
        gradient: how far the gradient can be trusted.
        foldable: whether equal inputs give equal outputs, so that constants can be computed beforehand.
    """

    domain: str
    name: str
    since: int
    function: Callable[..., Any]
    gradient: Gradient
    foldable: bool

    @property
    def is_module(self) -> bool:
        """Whether the function is an nn.Module class, made of the attributes and called with the inputs."""
        return isinstance(self.function, type)

    @cached_property
    def inputs(self) -> tuple[inspect.Parameter, ...]:
        """Its parameters for the ONNX inputs."""
        parameters = self._call.parameters.values()
        return tuple(p for p in parameters if p.kind is not p.KEYWORD_ONLY and p.name != "self")

    @cached_property
    def attributes(self) -> frozenset[str]:
        """Names of the attributes that it takes, `_outputs` and its like included."""
        parameters = inspect.signature(self.function).parameters.values()
        return frozenset(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)

    @cached_property
    def several(self) -> bool:
        """Whether it returns one value for each output."""
        return str(self._call.return_annotation).startswith("tuple")

    def kind(self, position: int) -> str:
        """The annotation of an input, such as "Ints | None"."""
        last = len(self.inputs) - 1
        return str(self.inputs[min(position, last)].annotation) if self.inputs else ""

    def takes(self, count: int) -> bool:
        """Whether a node may have so many inputs."""
        free = bool(self.inputs) and self.inputs[-1].kind is inspect.Parameter.VAR_POSITIONAL
        return free or count <= len(self.inputs)

    def prepared(self, attributes: dict[str, Any]) -> tuple[Callable[..., Any], dict[str, Any]]:
        """What is to be called with the inputs, and the keyword arguments that are still to be given."""
        return (self.function(**attributes), {}) if self.is_module else (self.function, attributes)

    @cached_property
    def _call(self) -> inspect.Signature:
        return inspect.signature(self.function.forward if isinstance(self.function, type) else self.function)  # type: ignore[attr-defined]


_TABLE: dict[tuple[str, str], dict[int, Operator]] = {}


def operator(
    name: str,
    since: int = 1,
    domain: str = "",
    gradient: Gradient = Gradient.EXACT,
    foldable: bool = True,
) -> Callable[[Function], Function]:
    """Register a function as an ONNX operator, from opset `since` on until another of the name takes over.

    Raises:
        ValueError: the same operator and version is there already.
    """

    def add(function: Function) -> Function:
        versions = _TABLE.setdefault((domain, name), {})
        if since in versions and versions[since].function.__qualname__ != function.__qualname__:
            raise ValueError(f"operator {domain}{'.' if domain else ''}{name} of opset {since} is registered twice")
        versions[since] = Operator(domain, name, since, function, gradient, foldable)
        return function

    return add


def find(domain: str, name: str, opset: int) -> Operator | None:
    """The operator as of an opset of its domain; None if the table does not hold it."""
    _load()
    versions = _TABLE.get(("" if domain == "ai.onnx" else domain, name), {})
    since = max((version for version in versions if version <= opset), default=None)
    return None if since is None else versions[since]


def table() -> tuple[Operator, ...]:
    """Every operator, by domain, name and version."""
    _load()
    return tuple(versions[since] for _, versions in sorted(_TABLE.items()) for since in sorted(versions))


def ints(values: Ints) -> list[int]:
    """Read whole numbers, such as axes or a shape, from a constant or a tensor of any rank."""
    return [int(v) for v in values.reshape(-1).tolist()] if isinstance(values, Tensor) else [int(v) for v in values]


def floats(values: Floats) -> list[float]:
    """Read numbers from a constant or a tensor of any rank."""
    return [float(v) for v in (values.reshape(-1).tolist() if isinstance(values, Tensor) else values)]


def number(value: Number) -> float:
    """Read one number from a constant or a tensor of one element."""
    return value.item() if isinstance(value, Tensor) else value


@cache
def _load() -> None:
    """Import every module of this folder, which registers its operators."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f".{module.name}", __name__)
