"""What a file claims to be, counted from its bytes and held against limits before any parser of a library sees it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .amplifiers import amplified
from .errors import ModelError
from .function_calls import calls
from .messages import one_line
from .wire import WireError
from .wire_message import Message, Span, WireLimits, Wires, parse
from .wire_schema import MESSAGES, Holds
from .wire_values import elements

__all__ = ["LIMITS", "Limits", "Survey", "survey"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The most that a file may claim; far above what any network needs that is known to us.

    Attributes:
        depth: messages inside one another; protobuf's own parsers stop at 100.
        fields: in the whole file; a run of numbers, and all texts of one attribute, count as one.
        nodes: in the file, and again once every call of a local function is replaced by the function's nodes.
        nesting: bodies of If, Loop and Scan inside one another.
        function_depth: functions that call functions.
        elements: that one node makes out of constants alone, or that a sparse tensor stands for; four times as many for
            one that enlarges something else.
        rounds: of constant trip counts of loops inside one another.
        name: bytes of a name or of an operator's type.
        notes: bytes of metadata and documentation in all.
    """

    depth: int = 64
    fields: int = 5_000_000
    nodes: int = 200_000
    nesting: int = 12
    function_depth: int = 32
    elements: int = 2**27
    rounds: int = 1_000_000
    name: int = 2**16
    notes: int = 2**26


LIMITS = Limits()


@dataclass(frozen=True)
class Survey:
    """A file's own claims.

    Attributes:
        root: the ModelProto over the file's bytes.
        wires: how many fields, and those that onnx.proto does not have.
        nodes: all, those of bodies, functions and training graphs included.
        expanded: nodes of the graph with every call replaced by the function's nodes.
        nesting: deepest body (0: there is none).
        function_depth: deepest chain of calls (0: no function is called).
        tensors: every TensorProto, wherever it stands, in the order of the file.
        notes: bytes of metadata and documentation.
    """

    root: Message
    wires: Wires
    nodes: int
    expanded: int
    nesting: int
    function_depth: int
    tensors: tuple[Message, ...] = field(repr=False)
    notes: int


def survey(path: Path, content: bytes, limits: Limits = LIMITS) -> Survey:
    """Read a file's structure and refuse what is damaged or over a limit.

    Raises:
        ModelError: naming the file, what is wrong and the limit.
    """
    wires = Wires(WireLimits(limits.depth, limits.fields))
    try:
        root = parse(content, "Model", wires)
        found = _counted(root, wires)
        for complaint in (*_over(found, limits), *_oversized(root, limits), *_claims(found, limits)):
            raise ModelError(f"{path}: {complaint}; a file made to harm its reader looks like this, do not trust it")
    except WireError as error:
        raise ModelError(f"{path}: truncated or not ONNX ({error}); download or export it again") from None
    except (ValueError, OverflowError) as error:
        raise ModelError(f"{path}: not valid ONNX: {one_line(error)}; do not trust it") from None
    return found


def _counted(root: Message, wires: Wires) -> Survey:
    called = calls(root)
    notes = nodes = 0
    tensors = []
    for message in root.walk():
        notes += message.size("doc_string") + sum(m.end - m.start for m in message.messages("metadata_props"))
        nodes += message.type == "Node"
        if message.type == "Tensor":
            tensors.append(message)
    return Survey(root, wires, nodes, called.nodes, _nesting(root), called.depth, tuple(tensors), notes)


def _nesting(message: Message, inside: bool = False) -> int:
    """Graphs inside attributes inside one another."""
    deepest = 0
    for values in message.values.values():
        for value in values:
            if isinstance(value, Message):
                body = inside and value.type == "Graph"
                deepest = max(deepest, body + _nesting(value, inside or value.type == "Attribute"))
    return deepest


def _over(found: Survey, limits: Limits) -> Iterator[str]:
    for what, count, most in (
        ("nodes", found.nodes, limits.nodes),
        ("nodes once its functions are inlined", found.expanded, limits.nodes),
        ("bodies inside one another", found.nesting, limits.nesting),
        ("functions that call one another", found.function_depth, limits.function_depth),
        ("bytes of metadata and documentation", found.notes, limits.notes),
    ):
        if count > most:
            yield f"expected at most {most:,} {what}, got {count:,}"


def _oversized(root: Message, limits: Limits) -> Iterator[str]:
    scopes = [*root.messages("graph"), *root.messages("functions")]
    scopes += [graph for t in root.messages("training_info") for graph in t.messages("algorithm")]
    for made in (made for scope in scopes for made in amplified(scope, {})):
        where = f"{one_line(made.operator)} {one_line(made.name)!r}"
        most = limits.elements if made.folded else 4 * limits.elements
        if made.elements > most:
            yield f"{where} makes {made.elements:,} elements out of constants, expected at most {most:,}"
        if made.rounds > limits.rounds:
            yield f"{where} runs its body {made.rounds:,} times, expected at most {limits.rounds:,}"


def _claims(found: Survey, limits: Limits) -> Iterator[str]:
    """Tensors whose shape is far beyond their bytes, and names that are none."""
    for message in found.root.walk():
        if message.type == "SparseTensor" and not 0 <= elements(message) <= limits.elements:
            yield f"a sparse tensor stands for more than {limits.elements:,} elements"
        if message.type == "Tensor":
            yield from _claim(message)
        if stray := next((name for name in message.values if _is_no_text(message, name)), None):
            yield f"the text {stray!r} of a {message.type} is not UTF-8"
        longest = max((span.end - span.start for name in _NAMES for span in message.spans(name)), default=0)
        if message.type in _NAMED and longest > limits.name:
            yield f"a name in a {message.type} has {longest:,} bytes, expected at most {limits.name:,}"


_NAMES = ("name", "op_type", "domain", "overload", "input", "output", "ref_attr_name")
_BYTES = ("s", "strings", "string_data", "raw_data", "doc_string")  # of any bytes, or read by nothing that runs
_TEXTS = {(kind, f.name): f.holds for kind, fields in MESSAGES.items() for f in fields.values()}
_NAMED = ("Graph", "Node", "Tensor", "Attribute", "Function", "ValueInfo")


def _is_no_text(message: Message, name: str) -> bool:
    """Whether a text is no UTF-8: a parser makes bytes of it, or nothing, or breaks."""
    if name in _BYTES:
        return False
    return any(isinstance(v, Span) and v.packed and not _decodes(message, name, v) for v in message.values[name])


def _decodes(message: Message, name: str, span: Span) -> bool:
    if _TEXTS.get((message.type, name)) is not Holds.TEXT:
        return True
    try:
        message.content[span.start : span.end].decode()
    except UnicodeDecodeError:
        return False
    return True


def _claim(tensor: Message) -> Iterator[str]:
    count, held = elements(tensor), tensor.end - tensor.start
    name = one_line(tensor.text("name"))
    if count < 0:
        yield f"tensor {name!r} does not fit its declared shape (a negative axis)"
    elif tensor.small_integer("data_location") != 1 and count > 8 * held:
        yield f"tensor {name!r} does not fit its declared shape ({held} bytes for {count:,} elements)"
