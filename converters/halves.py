"""The rear of a twin: from an inner tensor, through which all that it learns of its input passes, to the logits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, fx, nn

from .twin import Twin, in_batches, logits_of

__all__ = ["Passage", "Rear", "passages"]

_LAYERS = frozenset({
    "Conv", "ConvInteger", "ConvTranspose", "FusedConv", "FusedMatMul", "Gemm", "MatMul", "MatMulInteger", "QGemm",
    "QLinearConv", "QLinearMatMul",
})  # fmt: skip
_ONLY_SHAPES = frozenset({"Shape", "Size"})
"""Operators whose result says how large their input is and nothing of what is in it."""


@dataclass(frozen=True)
class Passage:
    """A tensor that every path from the input's values to the logits goes through.

    Attributes:
        tensor: its ONNX name.
        operator: of the node that makes it; "" where that is unknown.
        depth: share of the network's layers (convolutions and matrix products) that lie before it, in [0, 1].
    """

    tensor: str
    operator: str
    depth: float


def passages(twin: Twin) -> tuple[Passage, ...]:
    """Every such tensor behind the input, in order of execution; none where the network has no single course."""
    order = _carriers(twin.network.graph)
    place = {node: i for i, node in enumerate(order)}
    layers = [node.meta.get("operator") in _LAYERS for node in order]
    found, reach = [], 0
    for i, node in enumerate(order):
        if reach <= i and "tensor" in node.meta and node.op != "placeholder":
            depth = sum(layers[: i + 1]) / max(1, sum(layers))
            found.append(Passage(node.meta["tensor"], node.meta.get("operator", ""), depth))
        # A value that is used further on goes around everything up to there.
        reach = max([reach, *(place[user] for user in node.users if user in place)])
    return tuple(found)


class Rear(nn.Module):
    """A passage's values (N, ...) to logits (N, K), differentiable; it shares the twin's weights."""

    def __init__(self, twin: Twin, tensor: str, inputs: Tensor) -> None:
        """Cut the twin.

        Args:
            twin: stays as it is.
            tensor: of one of its `passages`.
            inputs: (1 or more, ...) any input to the twin; where the rear asks for the size of something before the
                passage, as exported reshapes do, it is told that of such an input.

        Raises:
            KeyError: the tensor is no activation of the twin.
        """
        super().__init__()
        graph = fx.Graph()
        copies = {twin.tensors[tensor]: graph.placeholder("_passage")}
        graph.output(graph.graph_copy(twin.network.graph, copies))
        graph.eliminate_dead_code()
        self.network, self._batch = fx.GraphModule(twin.network, graph), twin.batch
        self._input = inputs[:1].to(twin.dtype)

    def forward(self, values: Tensor) -> Tensor:
        """Return the logits."""
        return in_batches(self._logits, values, self._batch)

    def _logits(self, values: Tensor) -> Tensor:
        (logits,) = self.network(values, self._input.expand(len(values), *self._input.shape[1:]))
        return logits_of(logits, len(values))


def _carriers(graph: fx.Graph) -> list[fx.Node]:
    """The nodes on some path from the input's values to the output, in order of execution, output last."""
    useful = set(_leading_to(graph.output_node()))
    carry = set[fx.Node]()
    for node in graph.nodes:
        made_of_input = node.op == "placeholder" or not carry.isdisjoint(node.all_input_nodes)
        if node in useful and made_of_input and node.meta.get("operator") not in _ONLY_SHAPES:
            carry.add(node)
    return [node for node in graph.nodes if node in carry]


def _leading_to(end: fx.Node) -> Iterator[fx.Node]:
    waiting, seen = [end], {end}
    while waiting:
        yield (node := waiting.pop())
        new = [source for source in node.all_input_nodes if source not in seen]
        seen.update(new)
        waiting += new
