"""The twin's weights under the names of the file, and what a change of them means for the file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, TensorProto, numpy_helper
from torch import Tensor, fx, nn

from .errors import TwinError
from .graphs import subgraphs
from .messages import one_line
from .provenance import Constant, Origin

__all__ = ["Weights", "stored"]


class Weights(Mapping[str, Tensor]):
    """Name of an initializer, or of a Constant node's output -> parameter or buffer of the twin, in the twin's form.

    That form may be transposed, reshaped, scaled, dequantised or in float32; `set` takes the file's. A weight that the
    graph uses in several forms (W here, its transpose there) has one parameter for each: this mapping gives the first,
    and `set` keeps all of them together.
    """

    def __init__(self, network: fx.GraphModule, source: ModelProto | None = None) -> None:
        """Remember the values as they are.

        Args:
            network: made by `walk.build`.
            source: the file's own message, whose tensors may be of other types than the network's.
        """
        self._network, self._source = network, source
        self._forms: dict[str, list[tuple[str, Origin]]] = {}
        self._entangled: dict[str, str] = {}
        for name, constant in _constants(network):
            self._entangled.update(dict.fromkeys(constant.entangled, name))
            if constant.origin:
                self._forms.setdefault(constant.origin.initializer, []).append((name, constant.origin))
        self._before = {name: tensor.detach().cpu().clone() for name, tensor in self._tensors()}

    def __getitem__(self, name: str) -> Tensor:
        return self._tensor(self._forms[name][0][0])

    def __iter__(self) -> Iterator[str]:
        return iter(self._forms)

    def __len__(self) -> int:
        return len(self._forms)

    @property
    def paths(self) -> dict[str, str]:
        """Path of a parameter or buffer in the network -> name of the weight that it is made of."""
        return {path: name for name, forms in self._forms.items() for path, _ in forms}

    def forms(self, name: str) -> list[Tensor]:
        """Every parameter and buffer that is made of this weight.

        Raises:
            KeyError: it has none.
        """
        return [self._tensor(path) for path, _ in self._forms[name]]

    def set(self, name: str, values: NDArray[Any]) -> None:
        """Give a weight new values in all forms, rounded to what the file can hold.

        Args:
            name: of the initializer.
            values: in the file's own shape; for a quantised weight, the integers.

        Raises:
            KeyError: the twin has no such weight.
            TwinError: another shape.
        """
        held = self._original(name)
        if values.shape != held.shape:
            raise TwinError(f"weight {one_line(name)!r}: expected the shape {held.shape}, got {values.shape}")
        file_values = torch.from_numpy(stored(values.astype(np.float64), held.dtype).astype(np.float64))
        with torch.no_grad():
            for path, origin in self._forms[name]:
                self._tensor(path).copy_(origin.derive(file_values))

    def changes(self) -> dict[str, NDArray[Any]]:
        """Return the new values of every weight that differs from when the twin was made, as `patch_weights` takes.

        Elements that the twin has not changed keep the bits of the file; the others are rounded to what it can hold.

        Raises:
            TwinError: a change that the file cannot take over: of a tensor that is no weight of the file, or of one of
                several forms of a weight without the others.
        """
        self._require_named()
        found = {name: self._change(name) for name in self._forms}
        return {name: values for name, values in found.items() if values is not None}

    def _change(self, name: str) -> NDArray[Any] | None:
        if not any(self._differs(path) for path, _ in self._forms[name]):
            return None
        if name in self._entangled:
            raise TwinError(
                f"weight {one_line(name)!r} was changed, but it also went into the twin's constant "
                f"{one_line(self._entangled[name])!r}, which does not follow; leave this weight alone"
            )
        held = self._original(name)
        results = [self._patched(held, path, origin, name) for path, origin in self._forms[name]]
        if any(result.tobytes() != results[0].tobytes() for result in results):
            raise TwinError(
                f"weight {one_line(name)!r} is used in {len(results)} forms, of which only some were changed; "
                "change it with weights.set"
            )
        return None if results[0].tobytes() == held.tobytes() else results[0]

    def _patched(self, held: NDArray[Any], path: str, origin: Origin, name: str) -> NDArray[Any]:
        """The file's values, with those replaced that differ in the twin."""
        before = origin.restore(self._before[path]).numpy()
        after = origin.restore(self._tensor(path)).numpy()
        if after.shape != held.shape:
            raise TwinError(f"weight {one_line(name)!r} has the shape {held.shape} in the file, {after.shape} here")
        old, new = stored(before, held.dtype), stored(after, held.dtype)
        changed = (before != after) & (old != new) & ~(np.isnan(before) & np.isnan(after))
        if not np.isfinite(new[changed].astype(np.float64)).all():
            raise TwinError(f"weight {one_line(name)!r} was changed to a value that {held.dtype.name} does not hold")
        result = held.copy()
        result[changed] = new[changed]
        return result

    def _require_named(self) -> None:
        named = {path for forms in self._forms.values() for path, _ in forms}
        for path in self._before:
            if path not in named and self._differs(path):
                raise TwinError(
                    f"the twin's tensor {one_line(path)!r} was changed, but it is no weight of the file, nor made of "
                    "one in a way that can be undone"
                )

    def _original(self, name: str) -> NDArray[Any]:
        """The file's own values of a weight that the twin has."""
        if name not in self._forms:
            raise KeyError(name)
        found = [] if self._source is None else [t for n, t in _named(self._source.graph) if n == name]
        if len(found) != 1:
            what = "two weights" if found else "no weight"
            raise TwinError(
                f"weight {one_line(name)!r}: the file has {what} of that name, so it cannot be written back"
            )
        return np.array(numpy_helper.to_array(found[0]))

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        yield from self._network.named_parameters(remove_duplicate=False)
        yield from self._network.named_buffers(remove_duplicate=False)

    def _tensor(self, path: str) -> Tensor:
        module: nn.Module = self._network.get_submodule(path.rpartition(".")[0])
        tensor: Tensor = getattr(module, path.rpartition(".")[2])
        return tensor

    def _differs(self, path: str) -> bool:
        return not torch.equal(_bits(self._tensor(path).detach().cpu()), _bits(self._before[path]))


def _constants(network: fx.GraphModule) -> Iterator[tuple[str, Constant]]:
    """Path and constant of every parameter and buffer that the walk attached, those of subgraphs included."""
    for prefix, module in network.named_modules():
        held = module.meta.get("constants", {}) if isinstance(module, fx.GraphModule) else {}
        present = {name for name, _ in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))}
        for name, constant in held.items():
            if name in present:
                yield f"{prefix}.{name}" if prefix else name, constant


def _named(graph: GraphProto) -> Iterator[tuple[str, TensorProto]]:
    """Every weight of a graph that has a name: initializers and Constant nodes, those of subgraphs included."""
    for tensor in graph.initializer:
        yield tensor.name, tensor
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.HasField("t"):
                yield node.output[0], attribute.t
            for inner in subgraphs(attribute):
                yield from _named(inner)


def _bits(tensor: Tensor) -> Tensor:
    """The bytes of a tensor: NaN equals NaN, and small float types compare too."""
    return tensor.contiguous().reshape(-1).view(torch.uint8)


def stored(values: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Float64 values as a type of the file holds them: rounded to the nearest, and clipped to the range of integers."""
    limits = _limits(dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        if limits is None:
            return np.asarray(values.astype(dtype))
        whole = np.clip(np.rint(values), *limits).astype(np.int64 if limits[0] else np.uint64)
        return np.asarray(whole.astype(dtype))


def _limits(dtype: np.dtype[Any]) -> tuple[int, int] | None:
    """Smallest and largest value of an integer type; None for floats."""
    name = re.fullmatch(r"(u?)int(\d+)", dtype.name)
    if name is None:
        return None
    bits = min(int(name[2]), 53)  # float64 holds no larger integer exactly
    return (0, 2**bits - 1) if name[1] else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
