"""Units of a layer cleared one after the other, until the triggers are dead or the model suffers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ..errors import RepairError
from . import Budget, Repaired
from ._judge import Judge

if TYPE_CHECKING:
    from ...converters import Model
    from ...converters.channels import Layer

__all__ = ["PruneLimits", "prune_ranked"]


@dataclass(frozen=True)
class PruneLimits:
    """When to stop.

    Attributes:
        most: largest share of the layer's units that is cleared, in [0, 1].
        dead: attack success at which a trigger counts as dead.
        tolerance: clean accuracy that may be lost, in [0, 1].
    """

    most: float
    dead: float
    tolerance: float


def prune_ranked(
    model: Model, layer: Layer, order: Sequence[int], judge: Judge, limits: PruneLimits, budget: Budget
) -> Repaired:
    """Clear the units in this order, in steps of 1 % of the layer, but for those that clean accuracy cannot spare.

    Raises:
        RepairError: nothing within the limits weakens the triggers, or the layer would be emptied.
    """
    if layer.channels < 2:
        raise RepairError(f"{model.path}: the layer of {layer.output!r} has a single unit; pruning would empty it")
    most = min(layer.channels - 1, max(1, int(limits.most * layer.channels)))
    best = _searched(model, layer, order, judge, limits, most, budget)
    if best.attack >= judge.before.attack:
        raise RepairError(
            f"pruning up to {most} of {layer.channels} units of {layer.output!r} does not weaken the trigger within "
            f"{100 * limits.tolerance:g} points of accuracy"
        )
    note = f"cleared {len(best.units)} of {layer.channels} units of {layer.operator} {layer.output!r}"
    details = {"layer": layer.output, "units": best.units, "attack_while_pruning": best.attack}
    return Repaired(best.edits, note=note, details=details)


@dataclass(frozen=True, eq=False)
class _Stage:
    """Units that are cleared, and the attack success that is left on the samples to work on."""

    attack: float
    units: list[int] = field(default_factory=list)
    edits: dict[str, NDArray[Any]] = field(default_factory=dict)


def _searched(
    model: Model, layer: Layer, order: Sequence[int], judge: Judge, limits: PruneLimits, most: int, budget: Budget
) -> _Stage:
    """The best stage; units are looked at until twice as many as may be cleared were."""
    from ...converters.edited import weight_values

    weights, best, step = weight_values(model), _Stage(judge.before.attack), max(1, layer.channels // 100)
    kept: list[int] = []
    for start in range(0, min(2 * most, layer.channels), step):
        candidate = [*kept, *order[start : start + step]]
        if len(candidate) > most:
            break
        edits = layer.cleared(weights, candidate)
        score = judge.score(edits)
        budget.progress(f"pruning {layer.output}: attack {score.attack:.0%}", start / (2 * most))
        if score.accuracy < judge.before.accuracy - limits.tolerance:
            continue  # clean pictures need these
        kept = candidate
        if score.attack < best.attack:
            best = _Stage(score.attack, candidate, edits)
        if score.attack <= limits.dead or budget.spent:
            break
    return best
