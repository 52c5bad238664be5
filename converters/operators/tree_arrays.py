"""Tree ensembles of any version as one set of arrays: decisions and leaves, numbered through all trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["MODES", "TreeArrays", "from_leaves_apart", "from_nodes"]

MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER")
_LEAF = "LEAF"
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class TreeArrays:
    """An ensemble of T trees with D decisions and L leaves.

    A child is a decision's index, or ``D + leaf`` for a leaf. Every decision and every leaf has one parent at most.

    Attributes:
        roots: (T,) children.
        features: (D,) the feature that a decision looks at.
        thresholds: (D,) float32 or float64.
        modes: (D,) indices into `MODES`.
        yes: (D,) the child where the decision holds.
        no: (D,) the child where it does not.
        missing: (D,) whether NaN goes the way of `yes`.
        members: for each decision of mode BRANCH_MEMBER, the values that it holds for.
        leaf_weights: (L, C) what a leaf adds to each class or target.
        leaf_scores: (L, C) whether it adds anything to it, be it zero.
    """

    roots: Ints
    features: Ints
    thresholds: NDArray[Any]
    modes: Ints
    yes: Ints
    no: Ints
    missing: NDArray[np.bool_]
    members: dict[int, NDArray[Any]]
    leaf_weights: NDArray[Any]
    leaf_scores: NDArray[np.bool_]

    @property
    def decisions(self) -> int:
        """D."""
        return len(self.features)

    def parents(self) -> Ints:
        """(D + L,) the decision above each child, and which side: ``2 * decision`` for yes, one more for no; or -1.

        Raises:
            NotImplementedError: a child has two parents or is missing, so these are no trees.
        """
        children = np.concatenate([self.yes, self.no, self.roots])
        count = self.decisions + len(self.leaf_weights)
        if len(children) != count or np.any(np.sort(children) != np.arange(count)):
            raise NotImplementedError("its nodes form no trees")
        parents = np.full(count, -1)
        parents[self.yes] = 2 * np.arange(self.decisions)
        parents[self.no] = 2 * np.arange(self.decisions) + 1
        return parents


def from_nodes(nodes: dict[str, Any], leaves: dict[str, Any], classes: int) -> TreeArrays:
    """Read the attributes of TreeEnsembleClassifier and TreeEnsembleRegressor.

    Args:
        nodes: by their names without ``nodes_``: treeids, nodeids, featureids, values, modes, truenodeids,
            falsenodeids and missing_value_tracks_true.
        leaves: treeids, nodeids, ids and weights, one entry for each score that a leaf adds.
        classes: number of classes or targets, C.

    Raises:
        NotImplementedError: they form no trees.
    """
    trees, ids = np.asarray(nodes["treeids"], np.int64), np.asarray(nodes["nodeids"], np.int64)
    modes = np.array([_mode(mode) for mode in nodes["modes"]], np.int64)
    leaf = modes < 0
    # A node's place among all: decisions first, in the file's order, then leaves.
    place = np.where(leaf, (~leaf).sum() + np.cumsum(leaf) - 1, np.cumsum(~leaf) - 1)
    where = _Keys(trees, ids)
    inner = ~leaf
    yes = place[where.find(trees[inner], np.asarray(nodes["truenodeids"], np.int64)[inner])]
    no = place[where.find(trees[inner], np.asarray(nodes["falsenodeids"], np.int64)[inner])]
    below = np.zeros(len(place), bool)
    below[yes], below[no] = True, True
    weights, scores = np.zeros((leaf.sum(), classes), _array(leaves["weights"]).dtype), np.zeros((leaf.sum(), classes))
    rows = place[where.find(np.asarray(leaves["treeids"]), np.asarray(leaves["nodeids"]))] - inner.sum()
    _within(rows, len(weights), "a weight belongs to no leaf")
    columns = _within(np.asarray(leaves["ids"], np.int64), classes, "a weight belongs to no class")
    np.add.at(weights, (rows, columns), _array(leaves["weights"]))
    scores[rows, columns] = 1
    missing = np.asarray(nodes["missing_value_tracks_true"] or [0] * len(ids), bool)
    return TreeArrays(
        roots=np.setdiff1d(place, np.flatnonzero(below)),
        features=np.asarray(nodes["featureids"], np.int64)[inner],
        thresholds=_array(nodes["values"])[inner],
        modes=modes[inner], yes=yes, no=no, missing=missing[inner], members={},
        leaf_weights=weights, leaf_scores=scores.astype(bool),
    )  # fmt: skip


def from_leaves_apart(nodes: dict[str, Any], leaves: dict[str, Any], classes: int) -> TreeArrays:
    """Read the attributes of TreeEnsemble (ai.onnx.ml 5), whose leaves are listed apart.

    Args:
        nodes: tree_roots, featureids, splits, modes, truenodeids, falsenodeids, trueleafs, falseleafs,
            missing_value_tracks_true and membership_values.
        leaves: targetids and weights.
        classes: number of targets, C.

    Raises:
        NotImplementedError: they form no trees.
    """
    modes = _array(nodes["modes"]).astype(np.int64)
    decisions = len(modes)
    ends = np.concatenate([nodes["trueleafs"], nodes["falseleafs"]]).astype(bool)
    targets = np.concatenate([nodes["truenodeids"], nodes["falsenodeids"]]).astype(np.int64)
    # Each mention of a leaf becomes a leaf of its own: the file may share them.
    children = np.where(ends, decisions + np.cumsum(ends) - 1, targets)
    used = _within(targets[ends], len(leaves["targetids"]), "a leaf is missing")
    weights = np.zeros((len(used), classes), _array(leaves["weights"]).dtype)
    scores = np.zeros((len(used), classes), bool)
    columns = _within(np.asarray(leaves["targetids"], np.int64)[used], classes, "a weight belongs to no target")
    weights[np.arange(len(used)), columns] = _array(leaves["weights"])[used]
    scores[np.arange(len(used)), columns] = True
    member = np.flatnonzero(modes == MODES.index("BRANCH_MEMBER"))
    return TreeArrays(
        roots=np.asarray(nodes["tree_roots"], np.int64),
        features=np.asarray(nodes["featureids"], np.int64),
        thresholds=_array(nodes["splits"]),
        modes=_within(modes, len(MODES), "a mode is unknown"),
        yes=children[:decisions], no=children[decisions:],
        missing=np.asarray(nodes["missing_value_tracks_true"] or [0] * decisions, bool),
        members=dict(zip(member.tolist(), _sets(nodes["membership_values"], len(member)), strict=True)),
        leaf_weights=weights, leaf_scores=scores,
    )  # fmt: skip


class _Keys:
    """Positions by tree and node id."""

    def __init__(self, trees: Ints, ids: Ints) -> None:
        self.keys = {key: i for i, key in enumerate(zip(trees.tolist(), ids.tolist(), strict=True))}
        if len(self.keys) != len(trees):
            raise NotImplementedError("a node is there twice")

    def find(self, trees: Ints, ids: Ints) -> Ints:
        wanted = zip(trees.tolist(), ids.tolist(), strict=True)
        try:
            return np.array([self.keys[key] for key in wanted], np.int64)
        except KeyError as error:
            raise NotImplementedError(f"the node {error} of (tree, node) is missing") from None


def _mode(name: str | bytes) -> int:
    name = name.decode() if isinstance(name, bytes) else name
    if name == _LEAF:
        return -1
    if name not in MODES[:-1]:
        raise NotImplementedError(f"the mode {name}")
    return MODES.index(name)


def _array(values: Tensor | Sequence[float]) -> NDArray[Any]:
    """Numbers of an attribute: a tensor keeps its precision, a list is float32."""
    return values.numpy() if isinstance(values, Tensor) else np.asarray(values, np.float32)


def _within(values: Ints, size: int, reason: str) -> Ints:
    if np.any((values < 0) | (values >= size)):
        raise NotImplementedError(reason)
    return values


def _sets(values: Tensor | None, count: int) -> list[NDArray[Any]]:
    """Membership values, cut at each NaN."""
    flat = np.zeros(0) if values is None else values.numpy()
    cuts = np.flatnonzero(np.isnan(flat))
    sets = [part[~np.isnan(part)] for part in np.split(flat, cuts)]
    if len(sets) < count:
        raise NotImplementedError("the values of a membership test are missing")
    return sets[:count]
