"""The graph of a SavedModel: which operators it may hold, and what is cut out before TensorFlow sees it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..errors import ModelError
from ..messages import one_line
from . import Refused

__all__ = ["sanitised"]

_SAVERS = frozenset({"SaveV2", "RestoreV2", "MergeV2Checkpoints"})  # TensorFlow's loader reads the variables without
_RUNTIME = frozenset({
    "Assert", "AssignVariableOp", "Const", "DisableCopyOnRead", "Identity", "IdentityN", "NoOp", "PartitionedCall",
    "Placeholder", "PlaceholderWithDefault", "PreventGradient", "ReadVariableOp", "StatefulPartitionedCall",
    "StopGradient", "VarHandleOp", "VarIsInitializedOp",
})  # fmt: skip
_UNSAFE = frozenset({"HashTableV2", "HashTable", "LookupTableFindV2", "LookupTableSizeV2"})


def sanitised(content: bytes, file: str) -> bytes:
    """Return the graph without the functions that write and read checkpoints.

    Raises:
        Refused: it holds an operator that is neither plain arithmetic that tf2onnx knows nor needed to run it.
        ModelError: it is damaged, or was written by TensorFlow 1.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        message = saved_model_pb2.SavedModel.FromString(content)
    except DecodeError:
        raise ModelError(f"{file}: saved_model.pb is damaged; download or save it again") from None
    if len(message.meta_graphs) != 1 or not message.meta_graphs[0].object_graph_def.nodes:
        raise ModelError(f"{file}: written by TensorFlow 1; load it where it was made and save it with TensorFlow 2")
    graph = message.meta_graphs[0].graph_def
    _cut_savers(graph)
    unknown = sorted({node.op for node in _nodes(graph)} - _known())
    if unknown:
        raise Refused(
            f"{file}: refused: its graph holds operators that are no plain arithmetic "
            f"({one_line(', '.join(unknown), 160)}); they may touch files or run code."
            " Export it again without them, or to ONNX where it was made"
        )
    return bytes(message.SerializeToString())


def _known() -> frozenset[str]:
    import tf2onnx.tfonnx  # noqa: F401 - registers its operators
    from tf2onnx.handler import tf_op

    convertible = {name for versions in tf_op.get_opsets().values() for ops in versions for name in ops}
    return (frozenset(convertible) | _RUNTIME) - _UNSAFE


def _nodes(graph: Any) -> Iterator[Any]:
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def _cut_savers(graph: Any) -> None:
    """Drop the functions with savers, and whatever calls them or reads from such a call."""
    library = graph.library
    cut = {f.signature.name for f in library.function if any(node.op in _SAVERS for node in f.node_def)}
    while more := {f.signature.name for f in library.function if _calls(f.node_def, cut)} - cut:
        cut |= more
    kept = [function for function in library.function if function.signature.name not in cut]
    gone = {node.name for node in graph.node if _calls([node], cut)}
    while more := {node.name for node in graph.node if gone & set(map(_producer, node.input))} - gone:
        gone |= more
    nodes = [node for node in graph.node if node.name not in gone]
    for field, values in ((library.function, kept), (graph.node, nodes)):
        copies = [type(value).FromString(value.SerializeToString()) for value in values]
        del field[:]
        field.extend(copies)


def _calls(nodes: Iterable[Any], functions: set[str]) -> bool:
    called = {
        function.name
        for node in nodes
        for value in node.attr.values()
        for function in ([value.func] if value.HasField("func") else value.list.func)
    }
    return bool(functions & called)


def _producer(name: str) -> str:
    return name.removeprefix("^").partition(":")[0]
