"""The samples of a training set that stand apart from the others of their label in the model's own activations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .clusters import Reclassified
from .findings import Rate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .triggers import Trigger

__all__ = ["PoisonedSamples"]


@dataclass(frozen=True, eq=False)
class PoisonedSamples:
    """One cluster of one label's samples that exclusionary reclassification takes for another class.

    Attributes:
        target: the class that they are labelled as.
        positions: (n,) int64 where they stand in the training set, from 0.
        scores: (n,) in [0, 1]: how deep inside the cluster each lies; 0.5 is the border to the other cluster.
        labelled: how many samples have that label in all.
        reclassified: what a last layer trained without the cluster makes of it.
        silhouette: of the label's two clusters, in [-1, 1].
        followed: how many of them the model itself gives that label.
        clean: how many clean samples of the class lie in the cluster, of those at hand.
        transplant: what all of them share, put into samples of the source classes that are labelled rightly: how many
            the model then gives the target, in onnxruntime. None tried where they share nothing that others lack.
        trigger: that, for pictures; None where there is none.
        tokens: that, for token ids.
        points: (m, 2) float32 of some of the label's samples: the two components in which the clusters differ most.
        inside: (m,) bool: which of these belong to the cluster.
        averages: the average picture (C, H, W) of the "kept" and of the "suspicious" samples; empty for no pictures.
        sprites: some pictures (k, C, H, W) of each, under the same names.
        words: the tokens and topics of each, under the same names; empty but for token ids.
    """

    target: int
    positions: NDArray[np.int64]
    scores: NDArray[np.float64]
    labelled: int
    reclassified: Reclassified
    silhouette: float
    followed: Rate
    clean: Rate
    transplant: Rate
    points: NDArray[np.float32]
    inside: NDArray[np.bool_]
    averages: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    sprites: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    trigger: Trigger | None = None
    tokens: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def source(self) -> int:
        """The class that most of those that are moved are given."""
        return self.reclassified.source

    @property
    def share(self) -> float:
        """Relative size: of the samples with that label, in [0, 1]."""
        return len(self) / self.labelled
