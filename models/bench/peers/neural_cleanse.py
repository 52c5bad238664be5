"""Neural Cleanse as its authors run it: every class searched to its end, and the smallest mask of all held to a cut."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from ...speed.peer_search import Loop, PeerTrigger, peer_search
from . import Peer, PeerResult
from ._left_tail import FLAGGED_ABOVE, smallest_stands_out
from ._pictures import Pictures, pictures

if TYPE_CHECKING:
    from ....converters import Model
    from ....scanner.samples import Samples

_PAPER = Loop(
    epochs=1000, batch=32, updates=1000 // 32, multiplier=2, patience=5, early_stop_patience=25, keep_last=True
)
_LOOPS = {"paper": _PAPER, "short": replace(_PAPER, epochs=80, updates=7)}


@dataclass(frozen=True, kw_only=True)
class NeuralCleanse(Peer):
    """The class whose smallest universal trigger is far smaller than the others', by the anomaly index above 2.

    Everything is the authors' published example for GTSRB: Adam at 0.1 with betas 0.5 and 0.9, batches of 32, 31 of
    them a step, at most 1000 steps, the mask's weight from 1e-3, doubled after 5 successful steps and divided by 2 **
    1.5 after 5 others, success at 99 %, the end after 25 steps without a smaller mask once the weight has gone both
    ways. All pictures are turned, those of the target class too. A class for which no step succeeded takes part with
    its last mask, as in the authors' code. The statistic is the mask's sum, in pixels.

    Ours and not theirs: pictures in [0, 1] and not in [0, 255], which the pattern's parametrisation makes the same;
    and the weight is first raised one step later than theirs, as the step that sets it does not count towards it.

    Wang et al., "Neural Cleanse: Identifying and Mitigating Backdoor Attacks in Neural Networks", IEEE S&P 2019.

    Attributes:
        preset: "paper", or "short": the same loop with at most 80 steps of 7 batches (200 pictures once), 560 updates
            a class instead of 31,000; BackdoorBench's 80 epochs are about 800 on CIFAR-10 (of 256 pictures each).
        steps: at most so many instead of the preset's; 0 for those.
        batches: so many in a step instead of the preset's; 0 for those.
    """

    id: ClassVar[str] = "nc-paper"
    needs_samples: ClassVar[int] = 10

    preset: Literal["paper", "short"] = "paper"
    steps: int = 0
    batches: int = 0

    def short(self) -> Self:
        """With the preset "short"."""
        return replace(self, preset="short")

    def run(self, model: Model, samples: Samples | None, seed: int) -> PeerResult:
        """See `Peer`."""
        started = monotonic()
        asked, loop = pictures(model, samples, self.needs_samples), self._loop()
        found = [self._search(asked, c, loop, seed) for c in range(model.classes)]
        sizes = tuple(trigger.l1 for trigger in found)
        target, index = smallest_stands_out(sizes)
        without = [c for c, trigger in enumerate(found) if trigger.success < loop.asr]
        return PeerResult(
            classes=sizes,
            score=index,
            flagged=index > FLAGGED_ABOVE,
            target=target,
            seconds=monotonic() - started,
            note=self._note(loop, len(asked.clean), without),
        )

    def _loop(self) -> Loop:
        loop = _LOOPS[self.preset]
        return replace(loop, epochs=self.steps or loop.epochs, updates=self.batches or loop.updates)

    def _search(self, asked: Pictures, target: int, loop: Loop, seed: int) -> PeerTrigger:
        found = peer_search(asked.logits, asked.clean, target, loop, seed * 100_003 + target)
        if found is None:
            raise ValueError(f"expected a loop of one step or more, got {loop.epochs}")
        return found

    def _note(self, loop: Loop, count: int, without: list[int]) -> str:
        size = min(loop.batch, count)
        said = f"preset {self.preset}: at most {loop.epochs} steps of {loop.updates} batches of {size}"
        return said + (f"; no trigger for {without}, whose last mask counted" if without else "")
