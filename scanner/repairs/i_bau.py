"""I-BAU: unlearn, round by round, the one perturbation that turns most clean pictures; no trigger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import RepairError
from . import Budget, Repair, Repaired, Requires, require_between

if TYPE_CHECKING:
    from ...converters import Model
    from ..samples import Samples
    from ..triggers import Trigger


@dataclass(frozen=True, kw_only=True)
class IBau(Repair):
    """Fine-tune the model against one perturbation that, added to any clean picture, makes the model wrong.

    In each round the perturbation is found from zero by gradient steps over all pictures, and then unlearnt: ``share``
    of each batch carries it, rightly labelled, and the gradient counts in how the perturbation would answer to a change
    of the weights (an implicit hypergradient by ``fixed_points`` steps). A round sees at most ``pictures`` of the
    pictures and of the same ones moved by a pixel. The weights are those of the twin, averaged over the later half of
    the rounds, and go back into the file; running statistics stay. Of the rounds that lose at most ``tolerance`` of
    clean accuracy on these pictures the latest is kept. No trigger is looked at. Tried by name only: it often costs
    more accuracy than ``onnxray repair`` allows.

    Assumes: gradients that can be taken twice, float weights; a backdoor that a shift of the input sets off.
    Misses: triggers that no single perturbation resembles. Transformers lose accuracy, by independent measurement.

    Zeng et al., "Adversarial Unlearning of Backdoors via Implicit Hypergradient", ICLR 2022: 5 rounds, Adam at 0.0001
    on 5 % of the training set, a hundredth of a batch perturbed, hard labels. A few hundred pictures make few steps; so
    ``lr`` is higher, batches are smaller, more of a batch is perturbed, ``own`` of what is learnt is the model's own
    opinion, and the average over rounds brings back accuracy that single rounds lose.
    """

    needs: ClassVar[Requires] = Requires.SAMPLES | Requires.GRADIENTS
    min_samples: ClassVar[int] = 50
    trains: ClassVar[bool] = True

    rounds: int = 8
    lr: float = 0.0003
    batch: int = 32
    pictures: int = 400
    share: float = 0.1
    own: float = 0.5
    attack_lr: float = 10.0
    attack_passes: int = 2
    penalty: float = 0.001
    reach: float = 0.35
    fixed_points: int = 5
    tolerance: float = 0.02

    def __post_init__(self) -> None:
        """Refuse options under which nothing would be done; raises ValueError."""
        counts = ("rounds", "batch", "pictures", "attack_passes", "fixed_points")
        least = {"lr": 1e-6, "attack_lr": 1e-6, "share": 0.01, "own": 0, "penalty": 0, "reach": 0.001, "tolerance": 0}
        most = {"lr": 10, "attack_lr": 1e6, "share": 1, "own": 1, "penalty": 1e6, "reach": 100, "tolerance": 1}
        require_between(self, {**dict.fromkeys(counts, 1), **least}, {**dict.fromkeys(counts, 1_000_000), **most})

    def run(self, model: Model, samples: Samples, triggers: Sequence[Trigger], budget: Budget) -> Repaired:
        """See ``Repair.run``."""
        from ._tuning import moved_goals

        if len(samples) < self.min_samples:
            raise RepairError(f"{model.path}: needs {self.min_samples} clean samples to work on, got {len(samples)}")
        edits, done = self._tuned(model, samples, moved_goals(model, samples, self.own), budget)
        note = f"trained {len(edits)} weights for {done} of {self.rounds} rounds on {len(samples)} samples"
        return Repaired(edits, note=note, details={"rounds": done})

    def _tuned(
        self, model: Model, samples: Samples, wanted: NDArray[np.float32], budget: Budget
    ) -> tuple[dict[str, NDArray[Any]], int]:
        """The weights after the latest round that clean accuracy can bear, and its number from 1.

        Raises:
            RepairError: there is no such round.
        """
        import torch

        from ._judge import Judge
        from ._minimax import Minimax
        from ._tuning import released

        twin: Any = model.torch  # ``moved_goals`` has refused every other make
        game = Minimax(
            self.attack_lr, self.attack_passes, self.penalty, self.reach, self.fixed_points, self.share, self.batch
        )  # fmt: skip
        judge, rng = Judge(model, samples, ()), np.random.default_rng(budget.seed)
        edits, done, seen = dict[str, NDArray[Any]](), 0, list[dict[str, NDArray[Any]]]()
        with released(model, twin, {}) as weights:
            optimiser = torch.optim.Adam(weights, lr=self.lr)
            for turn in range(1, self.rounds + 1):
                every = wanted.shape[0] * wanted.shape[1]
                chosen = rng.choice(every, min(every, self.pictures), replace=False)
                ways, places = np.divmod(chosen, len(samples))
                inputs = samples.each_moved(places, ways).inputs()
                game.round(twin, weights, optimiser, inputs, wanted[ways, places], rng)
                budget.progress(f"unlearning, round {turn}", turn / self.rounds)
                seen.append(twin.changes())
                mean = _mean(seen[len(seen) // 2 :])
                if judge.score(mean).accuracy >= judge.before.accuracy - self.tolerance:
                    edits, done = mean, turn
                if budget.spent:
                    break
        if not done:
            raise RepairError(
                f"{model.path}: every round costs more than {100 * self.tolerance:g} points of clean accuracy; try a "
                "smaller lr"
            )
        return edits, done


def _mean(seen: Sequence[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """The average of the weights after several rounds; each keeps its type."""
    return {
        name: np.mean([edits.get(name, last) for edits in seen], axis=0, dtype=np.float64).astype(last.dtype)
        for name, last in seen[-1].items()
    }
