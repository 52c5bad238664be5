"""Activation Clustering's experiment: what a new network makes of a cluster that it never saw."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from onnxray.models import activation_clustering
from onnxray.models.activation_clustering import Measured, _per_class
from onnxray.models.poisoned_sets import PoisonedSet
from onnxray.scanner.activation_clusters import Pair
from onnxray.scanner.findings import Rate
from torch import Tensor, nn


class Brightness(nn.Module):
    """Bright pictures are of class 1."""

    def forward(self, x: Tensor) -> Tensor:
        bright = x.mean(dim=(1, 2, 3))
        return torch.stack([0.5 - bright, bright - 0.5], dim=1)


def test_a_new_network_is_trained_without_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.zeros((20, 4, 4), np.uint8)
    x[10:18] = 255  # eight of the cluster look like class 1
    y = np.zeros(20, np.int64)
    data = PoisonedSet(x, y, y > 0, x, y, x[:0], y[:0], y[:0])
    members, inside = np.arange(20), np.arange(20) >= 10
    pair = Pair(0, members, inside, np.zeros((20, 1)), np.zeros(20), 0.5, Rate(0, 0), "ica")
    seen: list[Any] = []

    def trained(kept: PoisonedSet, seed: int) -> nn.Module:
        seen.append((kept.x.copy(), kept.y.copy(), seed))
        return Brightness()

    monkeypatch.setattr(activation_clustering, "trained", trained)
    assert activation_clustering._again(data, pair, 5) == 2 / 8
    ((kept_x, kept_y, seed),) = seen
    assert (len(kept_y), kept_x.max(), seed) == (10, 0, 5)


def test_both_ratios_of_a_label_are_told() -> None:
    row = Measured(
        0.9, 1.0, (1.0, 1.0), (1.0, 1.0), (0.5, 0.5), {0: 0.3, 1: 0.1}, {0: 9.0, 1: 4.0}, again={0: 0.1, 1: 8.0}
    )
    assert next(_per_class({"set": row})).endswith("l / p 9.00 4.00; of a new network 0.10 8.00")
    assert next(_per_class({"set": replace(row, again={})})).endswith("l / p 9.00 4.00")
