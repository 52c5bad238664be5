"""Tree ensembles: the values are onnxruntime's, the gradient that of decisions made soft (see tree_forest.py)."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from . import Gradient, operator
from .post_transform import TRANSFORMS, class_labels, transformed, two_scores
from .tree_arrays import from_leaves_apart, from_nodes
from .tree_forest import Forest

_AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")
_Ints: TypeAlias = tuple[int, ...]
_Floats: TypeAlias = tuple[float, ...]


@operator("TreeEnsembleClassifier", domain="ai.onnx.ml", gradient=Gradient.SOFT)
class TreeEnsembleClassifier(nn.Module):
    """Sum of the leaves that an input (N, F) ends in, to labels (N,) and scores (N, K).

    Labels that are text are given as the class's index instead.
    """

    labels: Tensor
    base: Tensor

    def __init__(
        self,
        *,
        base_values: _Floats = (),
        base_values_as_tensor: Tensor | None = None,
        class_ids: _Ints = (),
        class_nodeids: _Ints = (),
        class_treeids: _Ints = (),
        class_weights: _Floats = (),
        class_weights_as_tensor: Tensor | None = None,
        classlabels_int64s: _Ints = (),
        classlabels_strings: tuple[str, ...] = (),
        nodes_falsenodeids: _Ints = (),
        nodes_featureids: _Ints = (),
        nodes_hitrates: _Floats = (),
        nodes_hitrates_as_tensor: Tensor | None = None,
        nodes_missing_value_tracks_true: _Ints = (),
        nodes_modes: tuple[str, ...] = (),
        nodes_nodeids: _Ints = (),
        nodes_treeids: _Ints = (),
        nodes_truenodeids: _Ints = (),
        nodes_values: _Floats = (),
        nodes_values_as_tensor: Tensor | None = None,
        post_transform: str = "NONE",
    ) -> None:
        """Prepare the arrays."""
        super().__init__()
        labels = class_labels(classlabels_int64s, classlabels_strings)
        weights = class_weights if class_weights_as_tensor is None else class_weights_as_tensor
        leaves = {"treeids": class_treeids, "nodeids": class_nodeids, "ids": class_ids, "weights": weights}
        self.forest = Forest(from_nodes(_nodes(locals()), leaves, len(labels)))
        self.register_buffer("labels", labels, persistent=False)
        self.register_buffer("base", _base(base_values, base_values_as_tensor, self.forest), persistent=False)
        self.transform = post_transform
        self.told: list[int] = sorted(set(class_ids))
        self.positive = bool((self.forest.weights >= 0).all())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return labels and scores."""
        x = _rows(x, self.forest)
        if len(self.labels) == 2:
            return self._of_two(self.forest(x))
        totals: Tensor = self.forest(x)
        known = totals.detach()
        if len(self.base):
            totals = known = totals + self.base
        elif not self.forest.scored.all():
            known = torch.where(self.forest.touched(x), known, -torch.inf)
        return self.labels[known.argmax(1)], transformed(totals, self.transform).float()

    def _of_two(self, totals: Tensor) -> tuple[Tensor, Tensor]:
        """As onnxruntime reads two classes: what the standard leaves open about them is not obvious."""
        first, second = torch.split(totals, 1, 1)
        if self.told == [0] and len(self.base) < 2:  # the only score is the second class's, whatever its number says
            score = first + self.base if len(self.base) else first
            return self._label(score), two_scores(score, self.transform, self.positive).float()
        if len(self.base) == 2 and self.told == [0]:
            scores, decisive = torch.cat([first + self.base[0], second], 1), first + self.base[0]
        elif len(self.base) == 2:
            decisive = first + self.base[1]
            scores = torch.cat([-decisive if 0 in self.told else torch.zeros_like(decisive), decisive], 1)
        else:
            first = first + self.base if len(self.base) and 0 in self.told else first
            scores, decisive = torch.cat([first, second], 1), second
        return self._label(decisive), transformed(scores, self.transform).float()

    def _label(self, score: Tensor) -> Tensor:
        """The label by the score that decides; 0 or 1 where the trees tell both classes, whatever the file names."""
        if len(self.told) == 2:
            return (score[:, 0] > 0).long()
        return self.labels[(score[:, 0] > (0.5 if self.positive else 0)).long()]


@operator("TreeEnsembleRegressor", domain="ai.onnx.ml", gradient=Gradient.SOFT)
class TreeEnsembleRegressor(nn.Module):
    """Sum, mean, least or largest of the leaves that an input (N, F) ends in, (N, targets)."""

    base: Tensor

    def __init__(
        self,
        *,
        aggregate_function: str = "SUM",
        base_values: _Floats = (),
        base_values_as_tensor: Tensor | None = None,
        n_targets: int = 1,
        nodes_falsenodeids: _Ints = (),
        nodes_featureids: _Ints = (),
        nodes_hitrates: _Floats = (),
        nodes_hitrates_as_tensor: Tensor | None = None,
        nodes_missing_value_tracks_true: _Ints = (),
        nodes_modes: tuple[str, ...] = (),
        nodes_nodeids: _Ints = (),
        nodes_treeids: _Ints = (),
        nodes_truenodeids: _Ints = (),
        nodes_values: _Floats = (),
        nodes_values_as_tensor: Tensor | None = None,
        post_transform: str = "NONE",
        target_ids: _Ints = (),
        target_nodeids: _Ints = (),
        target_treeids: _Ints = (),
        target_weights: _Floats = (),
        target_weights_as_tensor: Tensor | None = None,
    ) -> None:
        """Prepare the arrays."""
        super().__init__()
        weights = target_weights if target_weights_as_tensor is None else target_weights_as_tensor
        leaves = {"treeids": target_treeids, "nodeids": target_nodeids, "ids": target_ids, "weights": weights}
        arrays = from_nodes(_nodes(locals()), leaves, n_targets)
        if n_targets == 1:
            arrays.leaf_scores[:] = True  # a leaf without a weight gives zero to a single target
        self.forest = Forest(arrays)
        self.register_buffer("base", _base(base_values, base_values_as_tensor, self.forest), persistent=False)
        self.transform, self.aggregate = post_transform, aggregate_function

    def forward(self, x: Tensor) -> Tensor:
        """Return the targets."""
        return _regressed(self.forest, x, self.aggregate, self.transform, self.base).float()


@operator("TreeEnsemble", since=5, domain="ai.onnx.ml", gradient=Gradient.SOFT)
class TreeEnsemble(nn.Module):
    """Sum, mean, least or largest of the leaves that an input (N, F) ends in, (N, targets)."""

    def __init__(
        self,
        *,
        aggregate_function: int = 1,
        leaf_targetids: _Ints = (),
        leaf_weights: Tensor,
        membership_values: Tensor | None = None,
        n_targets: int = 1,
        nodes_falseleafs: _Ints = (),
        nodes_falsenodeids: _Ints = (),
        nodes_featureids: _Ints = (),
        nodes_hitrates: Tensor | None = None,
        nodes_missing_value_tracks_true: _Ints = (),
        nodes_modes: Tensor,
        nodes_splits: Tensor,
        nodes_trueleafs: _Ints = (),
        nodes_truenodeids: _Ints = (),
        post_transform: int = 0,
        tree_roots: _Ints = (),
    ) -> None:
        """Prepare the arrays."""
        super().__init__()
        names = ("tree_roots", "membership_values")
        nodes = {**_nodes(locals()), **{name: value for name, value in locals().items() if name in names}}
        self.forest = Forest(
            from_leaves_apart(nodes, {"targetids": leaf_targetids, "weights": leaf_weights}, n_targets)
        )
        self.transform, self.aggregate = TRANSFORMS[post_transform], _AGGREGATES[aggregate_function]

    def forward(self, x: Tensor) -> Tensor:
        """Return the targets."""
        y = _regressed(self.forest, x, self.aggregate, self.transform, self.forest.weights.new_zeros(0))
        return y.to(self.forest.weights.dtype)


def _nodes(attributes: dict[str, Any]) -> dict[str, Any]:
    """A constructor's attributes that start with ``nodes_``, without it."""
    nodes = {name.removeprefix("nodes_"): value for name, value in attributes.items() if name.startswith("nodes_")}
    if nodes.get("values_as_tensor") is not None:
        nodes["values"] = nodes["values_as_tensor"]
    return nodes


def _base(values: _Floats, tensor: Tensor | None, forest: Forest) -> Tensor:
    return torch.tensor(values, dtype=forest.weights.dtype) if tensor is None else tensor


def _rows(x: Tensor, forest: Forest) -> Tensor:
    """The input as (N, F), whole numbers as the thresholds' type."""
    x = x.reshape(1, -1) if x.dim() < 2 else x
    return x if x.is_floating_point() else x.to(forest.thresholds.dtype)


def _regressed(forest: Forest, x: Tensor, aggregate: str, transform: str, base: Tensor) -> Tensor:
    x = _rows(x, forest)
    if aggregate in ("SUM", "AVERAGE"):
        y: Tensor = forest(x) / (forest.trees if aggregate == "AVERAGE" else 1)
    elif aggregate in ("MIN", "MAX"):
        values, scored = forest.each(x)
        worst = torch.inf if aggregate == "MIN" else -torch.inf
        values = torch.where(scored, values, worst)
        y = values.amin(1) if aggregate == "MIN" else values.amax(1)
        y = torch.where(scored.any(1), y, 0.0)
    else:
        raise NotImplementedError(f"the aggregate function {aggregate}")
    if len(base):  # not where no leaf gives anything
        y = y + (base if forest.scored.all() else torch.where(forest.touched(x), base, 0.0))
    # onnxruntime gives a single target no other transform.
    return y if y.shape[1] == 1 and transform != "PROBIT" else transformed(y, transform)
