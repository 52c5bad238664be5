"""A forest in torch: exact values, and a gradient from decisions made soft."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from .tree_arrays import MODES, TreeArrays

__all__ = ["SOFTNESS", "Forest"]

# Width of a soft decision in units of the spread of its feature's thresholds.
SOFTNESS = 0.1
_NARROW = 1e-3  # a spread of less than that beside that of all thresholds says nothing about a feature's scale
_CERTAIN = 30.0  # a sigmoid of more than that is one in float32
_EQ, _MEMBER = MODES.index("BRANCH_EQ"), MODES.index("BRANCH_MEMBER")
_FLIPPED = [MODES.index(mode) for mode in ("BRANCH_GTE", "BRANCH_GT", "BRANCH_NEQ")]
_SETS = [_EQ, _MEMBER, MODES.index("BRANCH_NEQ")]


class Forest(nn.Module):
    """(N, F) features to what the trees' leaves add up to.

    The values are those of the decisions as the file makes them. The gradient is that of the expected leaf when every
    decision is drawn from a sigmoid of the distance to its threshold, in units of `SOFTNESS` times the spread of the
    thresholds on its feature: exact decisions are flat and have none.
    """

    paths: Tensor
    tree_of_leaf: Tensor
    roots: Tensor
    yes: Tensor
    no: Tensor
    features: Tensor
    thresholds: Tensor
    modes: Tensor
    missing: Tensor
    members: Tensor
    member_rows: Tensor
    temperatures: Tensor
    weights: Tensor
    scored: Tensor

    def __init__(self, arrays: TreeArrays) -> None:
        """Prepare the arrays.

        Raises:
            NotImplementedError: the nodes form no trees.
        """
        super().__init__()
        self.trees, self.decisions = len(arrays.roots), arrays.decisions
        paths, self.depth = _paths(arrays)
        self._constants(arrays)
        self.register_buffer("paths", torch.from_numpy(paths), persistent=False)
        self.register_buffer("tree_of_leaf", torch.from_numpy(_trees(arrays)), persistent=False)

    def _constants(self, arrays: TreeArrays) -> None:
        leaves = np.arange(len(arrays.leaf_weights)) + arrays.decisions
        loop = np.concatenate([arrays.yes, leaves]), np.concatenate([arrays.no, leaves])  # a leaf leads to itself
        more = np.zeros(len(leaves), np.int64)
        members, member_rows = _members(arrays)
        values = {
            "roots": arrays.roots, "yes": loop[0], "no": loop[1],
            "features": np.concatenate([arrays.features, more]),
            "thresholds": np.concatenate([arrays.thresholds, more]).astype(arrays.thresholds.dtype),
            "modes": np.concatenate([arrays.modes, more]),
            "missing": np.concatenate([arrays.missing, more.astype(bool)]),
            "members": members, "member_rows": np.concatenate([member_rows, more]),
            "temperatures": _temperatures(arrays).astype(arrays.thresholds.dtype),
            "weights": arrays.leaf_weights, "scored": arrays.leaf_scores,
        }  # fmt: skip
        for name, value in values.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(value)), persistent=False)
        self.kinds = sorted(set(arrays.modes.tolist()))

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum over all trees, (N, C)."""
        total = F.embedding_bag(self.leaves(x), self.weights, mode="sum")
        return total + _detached(self._reached(x) @ self.weights) if _wants_gradient(x) else total

    def each(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return what each tree gives, (N, T, C), and whether it gives anything to a class at all."""
        leaves = self.leaves(x)
        values = self.weights[leaves]
        if _wants_gradient(x):
            reached = self._reached(x)
            parts = torch.einsum("nl,lc->lnc", reached, self.weights)
            soft = parts.new_zeros(self.trees, *parts.shape[1:]).index_add(0, self.tree_of_leaf, parts)
            values = values + _detached(soft.transpose(0, 1))
        return values, self.scored[leaves]

    def touched(self, x: Tensor) -> Tensor:
        """Return whether any tree gives anything to a class, (N, C)."""
        return self.scored[self.leaves(x)].any(1)

    @torch.no_grad()
    def leaves(self, x: Tensor) -> Tensor:
        """Return the leaf of each tree that an input ends in, (N, T)."""
        node = self.roots.expand(len(x), -1)
        for _ in range(self.depth):
            node = torch.where(self._holds(x, node), self.yes[node], self.no[node])
        return node - self.decisions

    def _holds(self, x: Tensor, node: Tensor) -> Tensor:
        value, threshold = x.gather(1, self.features[node]), self.thresholds[node]
        holds = self._compared(self.kinds[0] if self.kinds else 0, value, threshold, node)
        for mode in self.kinds[1:]:
            holds = torch.where(self.modes[node] == mode, self._compared(mode, value, threshold, node), holds)
        return holds | (value.isnan() & self.missing[node])

    def _compared(self, mode: int, value: Tensor, threshold: Tensor, node: Tensor) -> Tensor:
        if mode == _MEMBER:
            return (value.unsqueeze(-1) == self.members[self.member_rows[node]]).any(-1)
        functions = (torch.le, torch.lt, torch.ge, torch.gt, torch.eq, torch.ne)
        return functions[mode](value, threshold)

    def _reached(self, x: Tensor) -> Tensor:
        """The probability of each leaf, (N, L), when every decision is a sigmoid."""
        certainty = self._certainty(x)
        sides = torch.stack([F.logsigmoid(certainty), F.logsigmoid(-certainty)], -1).flatten(1)
        ones = sides.new_ones(self.paths.shape[1])
        size = (len(self.weights), 2 * self.decisions)
        paths = torch.sparse_coo_tensor(self.paths, ones, size, check_invariants=False)
        logarithms: Tensor = torch.sparse.mm(paths, sides.t())
        return logarithms.t().exp()

    def _certainty(self, x: Tensor) -> Tensor:
        """How far each decision is from the other answer, (N, D), in units of its temperature; yes is positive."""
        modes = self.modes[: self.decisions]
        value, unknown = x[:, self.features[: self.decisions]], x.isnan()[:, self.features[: self.decisions]]
        value = torch.nan_to_num(value)
        distance = self.thresholds[: self.decisions] - value
        if set(self.kinds) & set(_SETS):
            gap = distance.abs()
            if _MEMBER in self.kinds:
                sets = self.members[self.member_rows[: self.decisions]].nan_to_num(torch.inf)
                gap = torch.where(modes == _MEMBER, (value.unsqueeze(-1) - sets).abs().amin(-1), gap)
            chosen = torch.isin(modes, modes.new_tensor(_SETS))
            distance = torch.where(chosen, self.temperatures - gap, distance)
        certainty = (distance / self.temperatures).clamp(-_CERTAIN, _CERTAIN)
        certainty = torch.where(torch.isin(modes, modes.new_tensor(_FLIPPED)), -certainty, certainty)
        return torch.where(unknown, torch.where(self.missing[: self.decisions], _CERTAIN, -_CERTAIN), certainty)


def _wants_gradient(x: Tensor) -> bool:
    return x.requires_grad and torch.is_grad_enabled()


def _detached(soft: Tensor) -> Tensor:
    """Zero, with the gradient of `soft`."""
    return soft - soft.detach()


def _paths(arrays: TreeArrays) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.int64]], int]:
    """Every (leaf, side of a decision) on the way to the leaf, as two rows; and the longest way."""
    parents = arrays.parents()
    leaves = np.arange(len(arrays.leaf_weights))
    above, pairs, depth = parents[leaves + arrays.decisions], [], 0
    while (known := above >= 0).any():
        leaves, above = leaves[known], above[known]
        pairs.append(np.stack([leaves, above]))
        above, depth = parents[above // 2], depth + 1
        if depth > arrays.decisions:
            raise NotImplementedError("its nodes form no trees")
    return np.concatenate(pairs, 1) if pairs else np.zeros((2, 0), np.int64), depth


def _trees(arrays: TreeArrays) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The tree of each leaf."""
    parents = arrays.parents()
    node = np.arange(len(arrays.leaf_weights)) + arrays.decisions
    while (known := parents[node] >= 0).any():
        node = np.where(known, parents[node] // 2, node)
    order = np.argsort(arrays.roots)
    return order[np.searchsorted(arrays.roots[order], node)]


def _members(
    arrays: TreeArrays,
) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.float32]], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """The sets of all membership tests, one a row, filled up with NaN; and the row of each decision."""
    width = max((len(values) for values in arrays.members.values()), default=1)
    table = np.full((max(len(arrays.members), 1), max(width, 1)), np.nan, arrays.thresholds.dtype)
    rows = np.zeros(arrays.decisions, np.int64)
    for row, (decision, values) in enumerate(arrays.members.items()):
        table[row, : len(values)] = values
        rows[decision] = row
    return table, rows


def _temperatures(arrays: TreeArrays) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The width of each soft decision, (D,): by the spread of its feature's thresholds, or else of all thresholds."""
    sets = [arrays.members.get(d, arrays.thresholds[d : d + 1]) for d in range(arrays.decisions)]
    values = np.concatenate([np.zeros(0), *sets]).astype(np.float64)
    features = np.repeat(arrays.features, [len(values) for values in sets])
    values = np.where(np.isfinite(values), values, 0)
    overall = float(values.std()) if len(values) else 0.0
    overall = overall or float(np.abs(values).max(initial=0)) or 1.0
    size = int(arrays.features.max(initial=0)) + 1
    count = np.bincount(features, minlength=size).clip(1)
    mean = np.bincount(features, values, minlength=size) / count
    spread = np.sqrt(np.bincount(features, (values - mean[features]) ** 2, minlength=size) / count)
    return SOFTNESS * np.where(spread > _NARROW * overall, spread, overall)[arrays.features]
