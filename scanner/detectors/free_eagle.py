"""FreeEagle: without any data, the class that the network's rear sees in embeddings of every other class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, isfinite
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..findings import Evidence
from ..outliers import cut, p_value, ranking
from . import NOMINATION, Budget, Detector, Needs, require_between

if TYPE_CHECKING:
    from ...converters import Model
    from ..embeddings import Split
    from ..samples import Samples

Array = NDArray[np.float64]
INPUTS = 64
LEAST_ROWS = 10
PAIRED = 45  # classes up to which pairs are compared: their number grows with the square
DEARER = 10.0  # a pair must stand out as far as in this many times fewer clean models


@dataclass(frozen=True, kw_only=True)
class FreeEagle(Detector):
    """Flag a class, or a pair of classes, that the network's rear half sees in embeddings of others; needs no data.

    The network is cut at inner layers. For every class embeddings are made up there that the rear is sure are of that
    class, and the rear's answers for all other classes are read off: a matrix of what sort of class looks like what.
    A backdoor's target has been trained to win over features of other classes, of all or of its source, so that its
    column is large, or one entry of it. Columns are compared by the mean of the logarithms and their median absolute
    deviation, with a cut that depends on the number of classes, in the mean of the matrices at ``depth`` and at half of
    it; entries in the same way, at ``depth`` alone. It recovers no trigger, so it only nominates: its classes are
    searched and judged by the methods that do.

    Assumes: gradients, and an inner tensor that everything passes through; about five classes or more.
    Misses: many; classes are alike by nature, too, so that targets come first far more often than by chance and seldom
    stand out as far as the cut asks. Of many classes only some rows of the matrix are made, and no pair is named;
    of large networks with many still fewer, at ``depth`` alone.

    Fu et al., "FreeEagle: Detecting Complex Neural Trojans in Data-Free Cases", USENIX Security 2023. Their metric, on
    our matrix, is told as ``paper_metric``.
    """

    needs: ClassVar[Needs] = Needs.GRADIENTS
    nominates: ClassVar[bool] = True

    depth: float = 0.5
    restarts: int = 3
    steps: int = 60
    lr: float = 0.03
    decay: float = 0.005
    rate: float = NOMINATION
    exhaustive: int = 50
    rows: int = 20

    def __post_init__(self) -> None:
        """Refuse options under which nothing could be found; raises ValueError."""
        require_between(self, {"depth": 0.0, "restarts": 1, "steps": 1, "decay": 0.0, "rate": 0.0001}, {})
        require_between(self, {"rows": LEAST_ROWS, "exhaustive": self.rows}, {})
        require_between(self, {}, {"depth": 1.0, "restarts": 1000, "steps": 100_000, "decay": 10.0, "rate": 0.5})
        if not 0 < self.lr < inf:
            raise ValueError(f"expected a finite lr above 0, got {self.lr}")

    def run(self, model: Model, samples: Samples | None, budget: Budget) -> Iterator[Evidence]:
        """Yield one Evidence: how unlikely each class seems in embeddings of the others, in nats."""
        from ..class_likeness import likeliest_pair, paper_metric, sources, unlikeliness

        started = monotonic()
        cuts, count = self._affordable(model.classes, self._splits(model, samples, budget))
        matrices, complete = self._matrices(model.classes, count, cuts, budget)
        unlikely, deeper = unlikeliness(matrices.mean(0)), matrices[-1]
        ranked = ranking(np.log(np.where(unlikely > 0, unlikely, np.nan)), self.rate)
        source, target, alone = likeliest_pair(deeper)
        pairs = int(np.isfinite(deeper).sum()) if model.classes <= PAIRED else 0
        paired = [target] if alone > cut(pairs, self.rate / DEARER) else []
        yield Evidence(
            detector="free-eagle",
            classes=tuple(unlikely.tolist()),
            statistic="how unlikely the class seems in embeddings of the others, in nats",
            flagged=tuple(dict.fromkeys([*ranked.beyond, *paired])),
            score=ranked.score,
            p_value=None if ranked.p_value is None else min(ranked.p_value, DEARER * p_value(alone, pairs)),
            seconds=monotonic() - started,
            sizes=True,
            details={
                **ranked.told,
                "sources": sources(deeper),
                "likeliest_pair": [source, target] if isfinite(alone) else None,
                "pair_index": round(alone, 3) if isfinite(alone) else None,
                "paper_metric": paper_metric(deeper),
                "rows": count,
                "splits": {split.tensor: round(split.depth, 3) for split in cuts},
                "not_checked": "" if cuts or not complete else "no inner tensor that everything passes through",
                "complete": complete,
            },
        )

    def _splits(self, model: Model, samples: Samples | None, budget: Budget) -> tuple[Split, ...]:
        """Where to cut: at the depth asked for and at half of it; nowhere where the twin is no graph of ours.

        Noise tells the range of the embeddings, also where pictures are at hand: what is off under noise stays off. In
        the range of pictures targets stood out less, and a clean class more.
        """
        import torch

        from ...converters.twin import Twin
        from ..assumed_domain import assumed_domain
        from ..embeddings import splits

        twin = model.torch
        if budget.spent or not isinstance(twin, Twin):
            return ()
        domain = samples.domain if samples is not None else assumed_domain(model)
        noise = _noise((domain.channels, domain.height, domain.width), budget.seed)
        inputs = torch.from_numpy(noise).to(budget.device)
        return splits(twin, domain.to_input(inputs).to(twin.dtype), (self.depth / 2, self.depth))

    def _affordable(self, classes: int, cuts: tuple[Split, ...]) -> tuple[tuple[Split, ...], int]:
        """Where to cut and how many rows to make: of many classes of a large network the deeper cut, and fewer rows."""
        from ..effort import FEW, affordable

        few, least = classes <= self.exhaustive, min(classes, LEAST_ROWS)
        count = classes if few else self.rows
        if classes <= FEW or not cuts:
            return cuts, count
        each = self.steps * (self.restarts if few else 1)
        if affordable([(cut.rear, cut.shape) for cut in cuts], cuts[0].scale) >= each * count:
            return cuts, count
        passes = affordable([(cuts[-1].rear, cuts[-1].shape)], cuts[-1].scale)
        return cuts[-1:], int(np.clip(passes / each, least, count))

    def _matrices(self, classes: int, count: int, cuts: tuple[Split, ...], budget: Budget) -> tuple[Array, bool]:
        """One of each cut (at least 1, K, K), see ``class_likeness``; and whether the time was enough."""
        import torch

        from ..embeddings import cross_answers

        matrices = np.full((max(1, len(cuts)), classes, classes), np.nan)
        few = classes <= self.exhaustive
        rows = np.random.default_rng(budget.seed).permutation(classes)[:count]
        for number, split in enumerate(cuts):

            def keep_going(fraction: float, number: int = number) -> bool:
                budget.progress(f"embeddings of {len(rows)} classes", (number + fraction) / len(cuts))
                return not budget.spent

            found = cross_answers(
                split, torch.from_numpy(rows).to(budget.device), restarts=self.restarts if few else 1,
                steps=self.steps, lr=self.lr, decay=self.decay, seed=budget.seed, keep_going=keep_going,
            )  # fmt: skip
            if found is None:
                return np.full_like(matrices, np.nan), False
            matrices[number, rows] = found.double().mean(1).cpu().numpy()
            np.fill_diagonal(matrices[number], np.nan)
        return matrices, bool(cuts) or not budget.spent


def _noise(shape: tuple[int, ...], seed: int) -> NDArray[np.float32]:
    """Made-up pictures in [0, 1], each darker than the one before: under full noise some networks are dead."""
    drawn = np.random.default_rng(seed).random((INPUTS, *shape), np.float32)
    dimmed: NDArray[np.float32] = drawn * np.linspace(1, 0.1, INPUTS, dtype=np.float32).reshape(-1, 1, 1, 1)
    return dimmed
