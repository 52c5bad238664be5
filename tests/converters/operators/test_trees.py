"""Tree ensembles: onnxruntime's values for every mode and transform, and a gradient that points somewhere."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnxray.converters.operators.tree_arrays import from_nodes
from onnxray.converters.operators.tree_forest import Forest
from onnxray.converters.surrogates import surrogates
from onnxray.converters.to_torch import network_of
from onnxray.converters.walk import Unsupported

FEATURES = 4
MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]
TRANSFORMS = ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"]
CATALOG = Path(__file__).parents[4] / "shared" / "suspects" / "catalog"


def grow(rng: np.random.Generator, nodes: list[Any], depth: int, modes: list[str]) -> int:
    """Add a random tree's nodes as (mode, feature, threshold, true child, false child)."""
    place = len(nodes)
    nodes.append(("LEAF", 0, 0.0, 0, 0))
    if depth and (place == 0 or rng.random() < 0.8):
        mode, feature = str(rng.choice(modes)), int(rng.integers(FEATURES))
        children = grow(rng, nodes, depth - 1, modes), grow(rng, nodes, depth - 1, modes)
        nodes[place] = (mode, feature, float(rng.integers(-2, 3)) / 2, *children)
    return place


def ensemble(prefix: str, classes: list[int], modes: list[str] = MODES, positive: bool = False) -> dict[str, Any]:
    """Attributes of three random trees whose leaves give a weight to each of some classes."""
    rng = np.random.default_rng(len(classes) + 10 * positive)
    names = ("modes", "featureids", "values", "truenodeids", "falsenodeids", "treeids", "nodeids")
    rows, leaves = [], []
    for tree in range(3):
        nodes: list[Any] = []
        grow(rng, nodes, 3, modes)
        rows += [(*node, tree, i) for i, node in enumerate(nodes)]
        weights = (rng.random((len(nodes), len(classes))) / 3 - (0 if positive else 0.2)).astype(np.float32)
        leaf = [i for i, node in enumerate(nodes) if node[0] == "LEAF"]
        leaves += [(tree, i, c, float(weights[i, k])) for i in leaf for k, c in enumerate(classes)]
    attributes = {f"nodes_{name}": list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    attributes["nodes_missing_value_tracks_true"] = rng.integers(0, 2, len(rows)).tolist()
    for name, column in zip(("treeids", "nodeids", "ids", "weights"), zip(*leaves, strict=True), strict=True):
        attributes[f"{prefix}_{name}"] = list(column)
    return attributes


def model(operator: str, outputs: dict[str, Any], dtype: int = TensorProto.FLOAT, **attributes: Any) -> ModelProto:
    node = helper.make_node(operator, ["x"], list(outputs), domain="ai.onnx.ml", **attributes)
    results = [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items()]
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", dtype, [None, FEATURES])], results)
    versions = [helper.make_opsetid("ai.onnx.ml", 5 if operator == "TreeEnsemble" else 3), helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=versions, ir_version=9)


def samples(dtype: Any = np.float32) -> Any:
    """Inputs of which half lie on thresholds, and some are missing."""
    rng = np.random.default_rng(7)
    x = np.concatenate([rng.integers(-2, 3, (20, FEATURES)) / 2, rng.standard_normal((20, FEATURES))]).astype(dtype)
    x[rng.random(x.shape) < 0.1] = np.nan
    return x


def agree(proto: ModelProto, x: Any, rtol: float = 1e-5) -> None:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    got = network_of(proto)(torch.from_numpy(x))
    for value, want in zip(got, session.run(None, {session.get_inputs()[0].name: x}), strict=True):
        assert value.numpy().dtype == want.dtype
        np.testing.assert_allclose(value.numpy(), want, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize(("count", "told"), [(2, [0]), (2, [1]), (2, [0, 1]), (3, [0, 1, 2]), (4, [1, 3])])
def test_classifier(count: int, told: list[int], positive: bool, transform: str) -> None:
    trees = ensemble("class", told, positive=positive)
    outputs: dict[str, Any] = {"label": TensorProto.INT64, "scores": TensorProto.FLOAT}
    for size in {0, count} | ({1} if count == 2 else set()):
        base: dict[str, Any] = {"base_values": [0.3, -0.1, 0.2, 0.05][:size]} if size else {}
        labels = [10 * i + 3 for i in range(count)]
        agree(
            model("TreeEnsembleClassifier", outputs, classlabels_int64s=labels, post_transform=transform,
                  **trees, **base), samples(),
        )  # fmt: skip


@pytest.mark.parametrize("aggregate", ["SUM", "AVERAGE", "MIN", "MAX"])
@pytest.mark.parametrize("told", [[0], [0, 1], [0, 2]])
def test_regressor(told: list[int], aggregate: str) -> None:
    trees = ensemble("target", told)
    targets = told[-1] + 1
    for transform, size in product(TRANSFORMS, {0, targets}):
        base: dict[str, Any] = {"base_values": [0.3, -0.1, 0.2][:size]} if size else {}
        agree(
            model("TreeEnsembleRegressor", {"y": TensorProto.FLOAT}, n_targets=targets, post_transform=transform,
                  aggregate_function=aggregate, **trees, **base), samples(),
        )  # fmt: skip


def test_double_thresholds_are_compared_as_double() -> None:
    trees = ensemble("target", [0])
    for name in ("nodes_values", "target_weights"):
        values = np.array(trees.pop(name), np.float64) + 1e-12
        trees[f"{name}_as_tensor"] = numpy_helper.from_array(values, name)
    proto = model("TreeEnsembleRegressor", {"y": TensorProto.FLOAT}, TensorProto.DOUBLE, n_targets=1, **trees)
    agree(proto, samples(np.float64))


def set_tree() -> dict[str, Any]:
    """One decision by membership, one by threshold; both children of the second are the same leaf."""
    tensor = numpy_helper.from_array
    return {
        "n_targets": 2, "tree_roots": [0], "nodes_featureids": [0, 1],
        "nodes_modes": tensor(np.array([6, 0], np.uint8)),
        "nodes_splits": tensor(np.array([0, 0.5], np.float32)),
        "membership_values": tensor(np.array([1, -1, np.nan], np.float32)),
        "nodes_truenodeids": [0, 1], "nodes_trueleafs": [1, 1],
        "nodes_falsenodeids": [1, 1], "nodes_falseleafs": [0, 1],
        "leaf_targetids": [0, 1], "leaf_weights": tensor(np.array([5.0, 7.0], np.float32)),
    }  # fmt: skip


def test_sets_and_shared_leaves() -> None:
    got = network_of(model("TreeEnsemble", {"y": TensorProto.FLOAT}, **set_tree()))(torch.tensor([[1.0, 0], [2.0, 0]]))
    assert got[0].tolist() == [[5, 0], [0, 7]]


def test_a_set_has_a_gradient() -> None:
    network = network_of(model("TreeEnsemble", {"y": TensorProto.FLOAT}, **set_tree()))
    x = torch.tensor([[1.3, 0.0]], requires_grad=True)
    (gradient,) = torch.autograd.grad(network(x)[0][0, 0], x)
    assert gradient[0, 0] < 0  # towards the member 1


def stump() -> ModelProto:
    nodes: dict[str, Any] = {
        "nodes_treeids": [0] * 3, "nodes_nodeids": [0, 1, 2], "nodes_featureids": [2, 0, 0],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"], "nodes_values": [0.5, 0.0, 0.0],
        "nodes_truenodeids": [1, 0, 0], "nodes_falsenodeids": [2, 0, 0],
    }  # fmt: skip
    leaves: dict[str, Any] = {
        "target_treeids": [0, 0],
        "target_nodeids": [1, 2],
        "target_ids": [0, 0],
        "target_weights": [1.0, 3.0],
    }
    return model("TreeEnsembleRegressor", {"y": TensorProto.FLOAT}, n_targets=1, **nodes, **leaves)


def test_the_gradient_is_that_of_a_sigmoid_and_the_values_stay_exact() -> None:
    x = torch.tensor([[9.0, 9, 0.49, 9], [9, 9, 0.51, 9]], requires_grad=True)
    (y,) = network_of(stump())(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert y.flatten().tolist() == [1, 3]
    width = 0.05  # a tenth of the only threshold
    step = torch.sigmoid(torch.tensor([-0.01, 0.01]) / width)
    torch.testing.assert_close(gradient[:, 2], 2 * step * (1 - step) / width, rtol=1e-3, atol=1e-3)
    assert not gradient[:, [0, 1, 3]].any()
    assert surrogates(stump()) == ("TreeEnsembleRegressor (soft)",)


@pytest.mark.parametrize("aggregate", ["SUM", "MIN"])
def test_the_gradient_leads_uphill(aggregate: str) -> None:
    trees = ensemble("target", [0], ["BRANCH_LEQ"])
    attributes: dict[str, Any] = {"n_targets": 1, "aggregate_function": aggregate, **trees}
    network = network_of(model("TreeEnsembleRegressor", {"y": TensorProto.FLOAT}, **attributes))
    start = torch.from_numpy(np.nan_to_num(samples()))
    x = start.clone()
    for _ in range(20):
        x.requires_grad_()
        (gradient,) = torch.autograd.grad(network(x)[0].sum(), x)
        x = x.detach() + 0.1 * gradient.sign()
    assert network(x)[0].mean() > network(start)[0].mean() + 0.02


def test_missing_values_give_a_finite_gradient() -> None:
    x = torch.full((1, FEATURES), torch.nan, requires_grad=True)
    (gradient,) = torch.autograd.grad(network_of(stump())(x)[0].sum(), x)
    assert not gradient.any()


def test_nodes_in_a_circle_are_refused() -> None:
    proto = stump()
    for attribute in proto.graph.node[0].attribute:
        if attribute.name == "nodes_falsenodeids":
            attribute.ints[0] = 0
    with pytest.raises(Unsupported, match="form no trees"):
        network_of(proto)


def test_a_tree_of_a_single_leaf() -> None:
    nodes = {"treeids": [0], "nodeids": [0], "featureids": [0], "values": [0.0], "modes": ["LEAF"],
             "truenodeids": [0], "falsenodeids": [0], "missing_value_tracks_true": []}  # fmt: skip
    forest = Forest(from_nodes(nodes, {"treeids": [0], "nodeids": [0], "ids": [1], "weights": [2.5]}, 2))
    assert forest(torch.zeros(3, 1, requires_grad=True)).tolist() == [[0, 2.5]] * 3


@pytest.mark.parametrize("name", ["treecl2", "xgboost_classifier_tree"])
def test_models_from_the_wild(name: str) -> None:
    files = sorted(CATALOG.glob(f"*{name}*.onnx"))
    if not files:
        pytest.skip("no ../shared/suspects/catalog")
    agree(onnx.load(files[0]), np.random.default_rng(0).standard_normal((30, 40), np.float32)[:, : width(files[0])])


def width(path: Path) -> int:
    size: int = onnx.load(path).graph.input[0].type.tensor_type.shape.dim[1].dim_value
    return size or 40
