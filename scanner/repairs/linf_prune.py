"""After Cheng et al.: clear the units whose activation maps peak most under the trigger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from . import Budget, Repair, Repaired, Requires, require_between

if TYPE_CHECKING:
    from ...converters import Model
    from ..samples import Samples
    from ..triggers import Trigger


@dataclass(frozen=True, kw_only=True)
class LinfPrune(Repair):
    """Clear the units of the last convolution whose activation maps' largest value rises most under the trigger.

    A unit's score is the l-infinity norm of its map on a stamped picture minus that on the same picture clean, averaged
    over the pictures; ``norm`` takes l1 or l2 instead. Units are cleared from the top until the trigger takes over at
    most ``dead`` of the pictures, or ``tolerance`` of clean accuracy or ``most`` of the units are gone.

    Assumes: a trigger; a layer in which the backdoor has units of its own. No gradients.
    Misses: a backdoor that shares its units with clean features, and whatever the given trigger does not excite.

    After Cheng et al., "Defending against Backdoor Attack on Deep Neural Networks", arXiv 2002.12162. Only its abstract
    and secondary sources were at hand: the statistic, the schedule and the limits are ours.
    """

    needs: ClassVar[Requires] = Requires.SAMPLES | Requires.TRIGGERS
    min_samples: ClassVar[int] = 20
    rank: ClassVar[int] = 4

    norm: Literal["l1", "l2", "linf"] = "linf"
    layer: str = ""
    most: float = 0.1
    dead: float = 0.05
    tolerance: float = 0.015

    def __post_init__(self) -> None:
        """Refuse options under which nothing would be done; raises ValueError."""
        least = {"most": 0.001, "dead": 0, "tolerance": 0}
        most = {"most": 1, "dead": 1, "tolerance": 1}
        require_between(self, least, most)

    def run(self, model: Model, samples: Samples, triggers: Sequence[Trigger], budget: Budget) -> Repaired:
        """See ``Repair.run``."""
        from ._judge import Judge
        from ._layers import activation_change, choose_layer
        from ._pruning import PruneLimits, prune_ranked

        layer = choose_layer(model, self.layer)
        order = np.argsort(-activation_change(model, layer, samples, triggers, self.norm), kind="stable").tolist()
        limits = PruneLimits(self.most, self.dead, self.tolerance)
        return prune_ranked(model, layer, order, Judge(model, samples, triggers), limits, budget)
