"""Channel Lipschitzness pruning: clear the channels that amplify most; no data, no trigger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import RepairError
from . import Budget, Repair, Repaired, Requires, require_between

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...converters import Model
    from ..samples import Samples
    from ..triggers import Trigger


@dataclass(frozen=True, kw_only=True)
class Clp(Repair):
    """Clear every channel of a convolution that amplifies its input far more than the others of its layer.

    How much a channel can amplify is bounded by the largest singular value of its filter, taken as a matrix of input
    channels by positions; a batch normalisation behind it, folded or not, multiplies that. Channels above the layer's
    mean plus ``u`` standard deviations are cleared.

    Assumes: nothing but convolutions whose filters are in the file; no data, no gradients, no trigger.
    Misses: most patches and blends, by independent measurement; it is weak, and free.

    Zheng et al., "Data-free Backdoor Removal based on Channel Lipschitzness", ECCV 2022. The authors pair every batch
    normalisation with the convolution before it in the order of the code; here it is the one that feeds it.
    """

    needs: ClassVar[Requires] = Requires.NOTHING
    rank: ClassVar[int] = 10

    u: float = 3.0

    def __post_init__(self) -> None:
        """Refuse options under which nothing would be done; raises ValueError."""
        least = {"u": 0}
        most = {"u": 1000}
        require_between(self, least, most)

    def run(self, model: Model, samples: Samples, triggers: Sequence[Trigger], budget: Budget) -> Repaired:
        """See ``Repair.run``."""
        from ...converters.edited import weight_values
        from ._filters import gains
        from ._layers import layers_of

        weights = weight_values(model)
        edits: dict[str, NDArray[Any]] = {}
        cleared: dict[str, list[int]] = {}
        for layer in layers_of(model):
            if not layer.operator.endswith(("Conv", "ConvTranspose")):
                continue
            gain = gains(layer, weights)
            units = (gain > gain.mean() + self.u * gain.std()).nonzero()[0].tolist()
            if units:
                edits |= layer.cleared(weights, units)
                cleared[layer.output] = units
        if not edits:
            raise RepairError(f"{model.path}: no channel of a convolution stands out by {self.u:g} standard deviations")
        count = sum(map(len, cleared.values()))
        note = f"cleared {count} channels of {len(cleared)} convolutions"
        return Repaired(edits, note=note, details={"units": cleared})
