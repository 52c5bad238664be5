"""Neural Cleanse's pruning: clear the units that the trigger excites most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from . import Budget, Repair, Repaired, Requires, require_between

if TYPE_CHECKING:
    from ...converters import Model
    from ..samples import Samples
    from ..triggers import Trigger


@dataclass(frozen=True, kw_only=True)
class PruneNeurons(Repair):
    """Clear the units of the last convolution that the trigger excites most, until it is dead.

    Units are ranked by their mean activation on stamped pictures minus that on clean ones, and cleared from the top
    until the trigger takes over at most ``dead`` of the pictures, or ``tolerance`` of clean accuracy or ``most`` of
    the units are gone.

    Assumes: a trigger; a layer in which the backdoor has units of its own. No gradients.
    Misses: a backdoor that shares its units with clean features, and whatever the given trigger does not excite; that
    the trigger is dead does not prove that the true one is.

    Wang et al., "Neural Cleanse", IEEE S&P 2019, section VI-B; they prune the last layer but one, and the last
    convolution where that costs too much. Here it is the last convolution from the start.
    """

    needs: ClassVar[Requires] = Requires.SAMPLES | Requires.TRIGGERS
    min_samples: ClassVar[int] = 20
    rank: ClassVar[int] = 3

    layer: str = ""
    most: float = 0.3
    dead: float = 0.02
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
        order = np.argsort(-activation_change(model, layer, samples, triggers, "mean"), kind="stable").tolist()
        limits = PruneLimits(self.most, self.dead, self.tolerance)
        return prune_ranked(model, layer, order, Judge(model, samples, triggers), limits, budget)
