"""What changed between a model that is trusted and one that is said to be the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ..converters.limits import MAX_BYTES, read_file
from ..converters.messages import one_line
from ..converters.survey import survey
from ..converters.wire_message import Message
from .diff_graph import Constant, Node, View, view
from .diff_values import WeightChange, changes
from .errors import ModelError

__all__ = ["Diff", "Sameness", "compare"]


class Sameness(StrEnum):
    """The three answers, in rising order of what changed."""

    SAME = "same weights"
    TUNED = "fine-tuned"
    GRAPH = "graph changed"


@dataclass(frozen=True)
class Diff:
    """What is in B and not in A, and the other way round; names are those of the file that has the thing.

    Attributes:
        verdict: the graph changed; or only weights; or nothing that counts when the model runs.
        added, removed: nodes in B, in A, that have no counterpart, as "place: operator 'name'".
        changed: nodes with the same name and operator, and other attributes.
        added_edges, removed_edges: between nodes that have counterparts.
        weights: constants with other values, largest change first.
        metadata: what the file says of itself: "field: old -> new".
        matched: nodes with a counterpart.
        equal: constants with the same values.
    """

    verdict: Sameness
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    added_edges: tuple[str, ...]
    removed_edges: tuple[str, ...]
    weights: tuple[WeightChange, ...]
    metadata: tuple[str, ...]
    matched: int
    equal: int


def compare(a: Path, b: Path) -> Diff:
    """Compare two ONNX files; neither is run, and what their nodes and tensors are called does not matter.

    Raises:
        ModelError: one of them cannot be read, or its external data cannot.
    """
    (root_a, one), (root_b, two) = _opened(a), _opened(b)
    pairs, only_a, only_b = _paired(one.nodes, two.nodes)
    renamed = [(x, y) for x, y in pairs if x.what != y.what]
    lost, gained = _edges(one, two, pairs), _edges(two, one, [(y, x) for x, y in pairs])
    weights, equal = changes(a, b, _constants(one, two, pairs))
    shapes = any(not change.comparable or change.structural for change in weights)
    other = bool(only_a or only_b or renamed or lost or gained or shapes or one.outputs != two.outputs)
    verdict = Sameness.GRAPH if other else Sameness.TUNED if weights else Sameness.SAME
    return Diff(
        verdict=verdict, added=tuple(map(_shown, only_b)), removed=tuple(map(_shown, only_a)),
        changed=tuple(_shown(y) for _, y in renamed), added_edges=tuple(gained), removed_edges=tuple(lost),
        weights=tuple(weights), metadata=tuple(_metadata(root_a, root_b)), matched=len(pairs), equal=equal,
    )  # fmt: skip


def _opened(path: Path) -> tuple[Message, View]:
    root = survey(path, read_file(path, MAX_BYTES)).root
    if not root.has("graph"):
        raise ModelError(f"{path}: expected an ONNX model with a graph, got none; check that it is ONNX")
    try:
        return root, view(root)
    except ValueError as error:
        raise ModelError(f"{path}: not valid ONNX: {error}; export it again") from None


_STAGES: tuple[Callable[[Node], object], ...] = (
    lambda n: (n.above, n.below, n.name), lambda n: (n.above, n.below), lambda n: n.above, lambda n: n.below,
    lambda n: n.local, lambda n: (n.what, n.name), lambda n: (n.place, n.operator, n.name) if n.name else id(n),
)  # fmt: skip


def _paired(a: list[Node], b: list[Node]) -> tuple[list[tuple[Node, Node]], list[Node], list[Node]]:
    """Counterparts by ever weaker labels, and what has none."""
    pairs = list[tuple[Node, Node]]()
    for label in _STAGES:
        waiting: dict[object, list[Node]] = {}
        for node in a:
            waiting.setdefault(label(node), []).append(node)
        rest = []
        for node in b:
            if candidates := waiting.get(label(node)):
                pairs.append((candidates.pop(0), node))
            else:
                rest.append(node)
        matched = {id(one) for one, _ in pairs}
        a, b = [node for node in a if id(node) not in matched], rest
    return pairs, a, b


def _edges(one: View, two: View, pairs: list[tuple[Node, Node]]) -> list[str]:
    """Edges of the first between nodes with counterparts that the second has not."""
    partner = {id(x): y for x, y in pairs}
    there = {(id(s[0]), s[1], id(n), i) for n in two.nodes for i, s in enumerate(n.inputs) if isinstance(s, tuple)}
    lost = []
    for node in one.nodes:
        for i, source in enumerate(node.inputs):
            if isinstance(source, tuple) and id(node) in partner and id(source[0]) in partner:
                edge = id(partner[id(source[0])]), source[1], id(partner[id(node)]), i
                if edge not in there:
                    lost.append(f"{_shown(source[0])} -> {_shown(node)}, input {i}")
    return lost


def _constants(one: View, two: View, pairs: list[tuple[Node, Node]]) -> list[tuple[Constant | None, Constant | None]]:
    """Constants at the same place of counterparts; then those of one name; then of one shape; then the rest, alone."""
    found, seen = list[tuple[Constant | None, Constant | None]](), set[int]()
    slots = [pair for x, y in pairs for pair in zip(x.inputs, y.inputs, strict=False)]
    by_name = {(c.place, c.name): c for c in two.constants}
    slots += [(c, by_name[c.place, c.name]) for c in one.constants if (c.place, c.name) in by_name]
    for x, y in slots:
        # A weight that two nodes share in one file may stand there twice in the other.
        if isinstance(x, Constant) and isinstance(y, Constant) and not {id(x), id(y)} <= seen:
            seen |= {id(x), id(y)}
            found.append((x, y))
    waiting: dict[str, list[Constant]] = {}
    for constant in (c for c in one.constants if id(c) not in seen):
        waiting.setdefault(constant.kind, []).append(constant)
    for constant in (c for c in two.constants if id(c) not in seen):
        like = waiting.get(constant.kind)
        found.append((like.pop(0) if like else None, constant))
    return [*found, *((c, None) for left in waiting.values() for c in left)]


def _shown(node: Node) -> str:
    name = f" {one_line(node.name, 80)!r}" if node.name else ""
    return f"{one_line(node.place, 80)}: {one_line(node.operator, 60)}{name}"


def _metadata(a: Message, b: Message) -> Iterator[str]:
    one, two = _told(a), _told(b)
    for key in sorted(one.keys() | two.keys()):
        if one.get(key) != two.get(key):
            before, after = (one_line(t[key], 80) if key in t else "(none)" for t in (one, two))
            yield f"{one_line(key, 80)}: {before} -> {after}"


def _told(root: Message) -> dict[str, str]:
    """What a file says of itself beside its graph's nodes and constants."""
    fields = ("producer_name", "producer_version", "domain", "doc_string")
    told = {field: root.text(field) for field in fields if root.text(field)}
    told |= {field: str(root.integer(field)) for field in ("ir_version", "model_version") if root.has(field)}
    told |= {f"opset {o.text('domain') or 'ai.onnx'}": str(o.integer("version")) for o in root.messages("opset_import")}
    told |= {f"metadata {m.text('key')}": m.text("value") for m in root.messages("metadata_props")}
    for graph in root.messages("graph"):
        told |= {f"graph {m.text('key')}": m.text("value") for m in graph.messages("metadata_props")}
        for kind in ("input", "output"):
            told |= {f"{kind} {i}": _declared(v) for i, v in enumerate(graph.messages(kind))}
    return told


def _declared(value: Message) -> str:
    kind = value.message("type")
    tensor = kind.message("tensor_type") if kind else None
    shape = tensor.message("shape") if tensor else None
    axes = [d.text("dim_param") or str(d.integer("dim_value")) for d in shape.messages("dim")] if shape else ["?"]
    return f"{value.text('name')} ({', '.join(axes)}), type {tensor.integer('elem_type') if tensor else '?'}"
