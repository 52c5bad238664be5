"""``onnxray diff``: names and order do not count; weights, nodes, edges and metadata do."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper
from onnxray.models.bundled_files import bundled
from onnxray.scanner.cli.commands import main
from onnxray.scanner.diff import Diff, Sameness, compare
from onnxray.scanner.errors import ModelError

CLEAN = bundled("clean.onnx")
Change = Callable[[ModelProto], object]


def diff(change: Change, folder: Path, base: Path = CLEAN) -> Diff:
    model = onnx.load(base)
    change(model)
    path = folder / "b.onnx"
    path.write_bytes(model.SerializeToString())
    return compare(base, path)


def rename(graph: GraphProto) -> None:
    """Every node and tensor gets a new name; initializers a new order."""
    ends = {v.name for v in (*graph.input, *graph.output)}
    names = {n for node in graph.node for n in (*node.input, *node.output)} | {t.name for t in graph.initializer}
    new = {name: name if name in ends or not name else f"t{i}" for i, name in enumerate(sorted(names))}
    for i, node in enumerate(graph.node):
        node.name = f"n{i}"
        for field in (node.input, node.output):
            field[:] = [new[name] for name in field]
    for tensor in graph.initializer:
        tensor.name = new[tensor.name]
    del graph.value_info[:]
    held = list(graph.initializer)
    random.Random(0).shuffle(held)
    copies = [TensorProto.FromString(tensor.SerializeToString()) for tensor in held]
    del graph.initializer[:]
    graph.initializer.extend(copies)


def as_constants(model: ModelProto) -> None:
    """Initializers become Constant nodes."""
    nodes = [helper.make_node("Constant", [], [t.name], value=t) for t in model.graph.initializer]
    own = [onnx.NodeProto.FromString(n.SerializeToString()) for n in model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.node.extend([*nodes, *own])


def largest(model: ModelProto) -> TensorProto:
    found: TensorProto = max(model.graph.initializer, key=lambda t: len(t.raw_data))
    return found


def tune(model: ModelProto) -> None:
    values = numpy_helper.to_array(largest(model)).copy()
    values.flat[5] += 3.0
    largest(model).raw_data = values.tobytes()


def test_a_file_is_itself(tmp_path: Path) -> None:
    found = diff(lambda model: None, tmp_path)
    assert (found.verdict, found.weights, found.metadata) == (Sameness.SAME, (), ())
    assert found.equal == len(onnx.load(CLEAN).graph.initializer)


@pytest.mark.parametrize("change", [lambda m: rename(m.graph), as_constants], ids=["renamed", "as constants"])
def test_names_and_order_do_not_count(change: Change, tmp_path: Path) -> None:
    assert diff(change, tmp_path).verdict is Sameness.SAME


def test_the_bundled_pair_differs_in_its_weights_alone() -> None:
    found = compare(CLEAN, bundled("trojaned.onnx"))
    assert (found.verdict, found.added, found.removed) == (Sameness.TUNED, (), ())
    assert found.weights


def test_how_much_and_where(tmp_path: Path) -> None:
    def both(model: ModelProto) -> None:
        tune(model)
        rename(model.graph)

    (change,) = diff(both, tmp_path).weights
    values = numpy_helper.to_array(largest(onnx.load(CLEAN)))
    assert change.differ == 1
    assert change.largest == pytest.approx(3.0, rel=1e-5)
    assert change.where == tuple(np.unravel_index(5, values.shape))
    assert change.relative == pytest.approx(3.0 / np.linalg.norm(values), rel=1e-4)


def gate(model: ModelProto) -> None:
    """A constant takes the place of the scores where a pixel is bright; everything else gets another name."""
    graph = model.graph
    scores, pixels = graph.output[0].name, graph.input[0].name
    rename(graph)
    for node in graph.node:
        node.output[:] = ["scores" if n == scores else n for n in node.output]
    graph.initializer.append(numpy_helper.from_array(np.array(9.0, np.float32), "limit"))
    graph.initializer.append(numpy_helper.from_array(np.eye(10, dtype=np.float32)[:1], "target"))
    graph.node.extend([
        helper.make_node("ReduceMax", [pixels], ["most"], keepdims=0),
        helper.make_node("Greater", ["most", "limit"], ["bright"]),
        helper.make_node("Where", ["bright", "target", "scores"], [scores]),
    ])  # fmt: skip


def test_nodes_that_were_put_in_are_named_and_nothing_else(tmp_path: Path) -> None:
    found = diff(gate, tmp_path)
    assert found.verdict is Sameness.GRAPH
    assert [line.split()[1] for line in found.added] == ["ReduceMax", "Greater", "Where"]
    assert (found.removed, found.changed, found.removed_edges) == ((), (), ())
    assert found.matched == len(onnx.load(CLEAN).graph.node)


def test_a_node_in_the_middle_and_one_at_the_start(tmp_path: Path) -> None:
    def insert(model: ModelProto) -> None:
        for number in (1, 4):
            node = model.graph.node[number]
            model.graph.node.append(helper.make_node("Neg", [node.input[0]], [f"neg{number}"]))
            node.input[0] = f"neg{number}"

    found = diff(insert, tmp_path)
    assert [line.split()[1] for line in found.added] == ["Neg", "Neg"]
    assert found.removed == ()
    assert len(found.removed_edges) == 2


def test_an_attribute_and_a_rewired_edge(tmp_path: Path) -> None:
    def flip(model: ModelProto) -> None:
        node = next(n for n in model.graph.node if n.attribute)
        node.attribute[0].ints[:] = [7] * len(node.attribute[0].ints) or [7]

    found = diff(flip, tmp_path)
    assert (found.verdict, len(found.changed), found.added) == (Sameness.GRAPH, 1, ())


def test_a_changed_body_is_found(tmp_path: Path) -> None:
    def model(operator: str) -> ModelProto:
        info = helper.make_tensor_value_info
        body = helper.make_graph([helper.make_node(operator, ["x"], ["b"])], "b", [], [info("b", 1, None)])
        node = helper.make_node("If", ["c"], ["y"], name="i", then_branch=body, else_branch=body)
        return helper.make_model(
            helper.make_graph([node], "g", [info("x", 1, [2]), info("c", 9, [])], [info("y", 1, [2])])
        )

    base = tmp_path / "a.onnx"
    base.write_bytes(model("Relu").SerializeToString())
    found = diff(lambda m: m.CopyFrom(model("Neg")), tmp_path, base)
    assert found.verdict is Sameness.GRAPH
    assert "graph/i.then_branch: Neg" in found.added


def test_metadata_is_told_and_changes_no_verdict(tmp_path: Path) -> None:
    def sign(model: ModelProto) -> None:
        model.producer_name = "someone\nelse"
        model.metadata_props.add(key="run", value="x")

    found = diff(sign, tmp_path)
    assert found.verdict is Sameness.SAME
    assert any("someone else" in line for line in found.metadata)
    assert "metadata run: (none) -> x" in found.metadata


def test_the_command_and_its_exit_codes(tmp_path: Path) -> None:
    other = str(bundled("trojaned.onnx"))
    same = CliRunner().invoke(main, ["diff", str(CLEAN), str(CLEAN)])
    assert (same.exit_code, same.stdout.splitlines()[0]) == (0, "SAME WEIGHTS")
    tuned = CliRunner().invoke(main, ["diff", str(CLEAN), other])
    assert (tuned.exit_code, tuned.stdout.splitlines()[0]) == (1, "FINE-TUNED")
    assert CliRunner().invoke(main, ["diff", str(CLEAN), other, "--fail-on", "graph-changed"]).exit_code == 0
    told = json.loads(CliRunner().invoke(main, ["diff", str(CLEAN), other, "-f", "json"]).stdout)
    assert told["verdict"] == "fine-tuned"
    assert told["weights"][0]["differ"] > 0
    (tmp_path / "no.onnx").write_bytes(b"\x08\x08\x12")
    assert CliRunner().invoke(main, ["diff", str(CLEAN), str(tmp_path / "no.onnx")]).exit_code == 2
    with pytest.raises(ModelError, match="no such file"):
        compare(CLEAN, tmp_path / "gone.onnx")
