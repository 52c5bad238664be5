"""Hold proven gates of the graph silent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..errors import RepairError
from . import Budget, Repair, Repaired, Requires, require_between

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

    from ...converters import Model
    from ..samples import Samples
    from ..triggers import Trigger
    from ..witness import Proof


@dataclass(frozen=True, kw_only=True)
class FreezeGates(Repair):
    """Put a constant in the place of the signal of every gate in the graph that a witness has proven.

    The constant is what the signal is for all ordinary inputs, so that nothing else changes: the answers to the clean
    pictures must stay the same to the bit, and the witness must no longer turn the class, or nothing is written. No
    weight is touched. Gates that are not proven stay.

    Assumes: a gate in the graph (see ``onnxray audit``) for which an input is found that makes it fire.
    Misses: backdoors in the weights; gates whose signal lies within a branch or a loop.

    Our own.
    """

    needs: ClassVar[Requires] = Requires.SAMPLES
    min_samples: ClassVar[int] = 10
    rank: ClassVar[int] = 1

    seconds: float = 120.0

    def __post_init__(self) -> None:
        """Refuse options under which nothing would be done; raises ValueError."""
        least = {"seconds": 1}
        most = {"seconds": 86_400}
        require_between(self, least, most)

    def applies(self, model: Model, triggers: Sequence[Trigger]) -> bool:
        """See ``Repair.applies``: where the audit finds a gate that could be proven."""
        from ..witness.prove import gates_of

        return bool(gates_of(model))

    def run(self, model: Model, samples: Samples, triggers: Sequence[Trigger], budget: Budget) -> Repaired:
        """See ``Repair.run``."""
        from time import monotonic

        from ...converters.probe import frozen, opened
        from ..witness.prove import prove

        proofs = list(prove(model, samples, budget.seed, min(budget.deadline, monotonic() + self.seconds)))
        proven = [proof for proof in proofs if proof.convicts and proof.unchanged]
        if not proven:
            said = "; ".join(f"{proof.location}: {proof.words}" for proof in proofs)
            raise RepairError(f"{model.path}: no gate of the graph is proven{f' ({said})' if said else ''}")
        held: dict[str, NDArray[Any]] = {name: value for proof in proven for name, value in proof.held.items()}
        graph = frozen(opened(model), held)
        inputs = samples.inputs()
        _require_harmless(model, graph, inputs)
        closed = [_require_closed(model, graph, proof) for proof in proven]
        note = f"held {len(proven)} gates: answers to {len(inputs)} clean pictures are the same to the bit"
        return Repaired(proto=graph, note=f"{note}, {', '.join(closed)}", details={"held": sorted(held)})


def _require_harmless(model: Model, graph: ModelProto, inputs: NDArray[np.float32]) -> None:
    """Raises RepairError where the answer to an input (N, ...) is not the file's own to the bit."""
    from ...converters.edited import run_graph

    differ = int((run_graph(model, graph).run(inputs) != model.run(inputs)).any(1).sum())
    if differ:
        raise RepairError(
            f"{model.path}: with its gates held, {differ} of {len(inputs)} clean pictures score otherwise"
        )


def _require_closed(model: Model, graph: ModelProto, proof: Proof) -> str:
    """What becomes of the witness, in words; RepairError where it still turns the class."""
    from ...converters.edited import run_graph

    if proof.witness is None:
        raise RepairError(f"{model.path}: the gate at {proof.location} has no witness")
    given = int(run_graph(model, graph).run(proof.witness.input[None]).argmax(1)[0])
    if given == proof.witness.class_after:
        raise RepairError(f"{model.path}: with the gate at {proof.location} held, its witness still fires")
    return f"the witness is answered {given} and not {proof.witness.class_after}"
