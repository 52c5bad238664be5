"""Normalised graph to torch module: the walk, its fallback, and one line for whatever stops them."""

from __future__ import annotations

import warnings

from onnx import ModelProto
from torch import fx

from .errors import TwinError
from .fallback import convert_node, converter_of
from .graphs import every_node, opsets
from .messages import one_line
from .normalize import drop_unused, normalize
from .operators import find
from .signature import input_spec
from .surrogates import surrogates
from .trial import try_out
from .twin import Twin
from .walk import Unsupported, build

__all__ = ["missing_operators", "network_of", "to_torch"]


def to_torch(model: ModelProto, file: str, output: str, batch: int | None = None) -> Twin:
    """Convert a checked classifier; the result is not yet compared with anything.

    Args:
        model: the file's message.
        file: for messages.
        output: the name of the output with the scores.
        batch: the only batch size that the model takes, None if it takes any.

    Raises:
        TwinError: naming the operators that are not supported, or what else stopped the conversion.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            normalized = normalize(model, output, batch)
            spec = input_spec(normalized.graph, file)
            twin = Twin(network_of(normalized), spec, surrogates(normalized), model)
            try_out(twin.network, spec, twin.dtype)
            return twin
    except Unsupported as error:
        raise TwinError(f"{file}: no torch twin: {one_line(error, 300)}") from None
    except Exception as error:  # noqa: BLE001 - a foreign converter on a foreign graph may raise anything
        raise TwinError(
            f"{file}: no torch twin: the conversion stops with {type(error).__name__}: {one_line(error)}"
        ) from None


def network_of(model: ModelProto) -> fx.GraphModule:
    """Convert a graph as it is, with any number of inputs and outputs.

    Raises:
        Unsupported: naming all operators that are not supported, or the first node whose use is not.
    """
    if missing := missing_operators(drop_unused(model)):
        raise Unsupported(f"operators not supported: {', '.join(missing)}")
    return build(model, convert_node)


def missing_operators(model: ModelProto) -> list[str]:
    """Every operator that neither our table nor onnx2torch holds, as "domain.Name (opset 17)"."""
    versions = opsets(model)
    own = {(function.domain, function.name) for function in model.functions}
    missing = set()
    for node in every_node(model):
        if (node.domain, node.op_type) in own:
            continue
        version = versions.get(node.domain, 1)
        if find(node.domain, node.op_type, version) is None and converter_of(node, version) is None:
            missing.add(f"{node.domain}{'.' if node.domain else ''}{node.op_type} (opset {version})")
    return sorted(missing)
