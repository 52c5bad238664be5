"""Neural Cleanse: the smallest trigger of every class, and the class whose trigger is too small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..mask_size import MaskNorm
from ._trigger_search import TriggerSearch


@dataclass(frozen=True, kw_only=True)
class NeuralCleanse(TriggerSearch):
    """Flag a class that an unusually small patch can reach from every other class.

    For each class, find the smallest masked patch that sends all samples to it; a backdoor is a shortcut, so its
    target needs a far smaller patch than the other classes. All classes and seeds are searched in one batch with the
    weights frozen. A class's size is the geometric mean of its smallest masks over the seeds; sizes are compared as
    logarithms (they are right-skewed) by their median absolute deviation, with a cut that depends on the number of
    classes. Of more than ``exhaustive`` classes only those are searched that a screen of all names (a short descent,
    the largest margin of any input, near misses of clean pictures), beside others drawn at random, which say what is
    usual. The triggers of the smallest classes, and of those that other methods nominate, are then given ``growth``
    times the room and handed on to be judged in onnxruntime.

    Assumes: gradients; at least 20 clean samples to optimise on (100 or more are better); a universal trigger.
    Misses: triggers that cover much of the picture, warp it or differ from sample to sample; source-specific and
    all-to-all backdoors; models in which a large part of the classes are targets.

    Wang et al., "Neural Cleanse: Identifying and Mitigating Backdoor Attacks in Neural Networks", IEEE S&P 2019.
    The search differs from the authors' in five choices: the schedule looks at the last 5 small steps together
    instead of at a thousand samples, the best mask is chosen on the whole optimisation half instead of on running
    averages, the mask starts light instead of at half strength, the weight of the mask rises faster until it was first
    too much, and lr is 0.2 over at most 120 steps.
    """

    name: ClassVar[str] = "neural-cleanse"
    norm: ClassVar[MaskNorm] = "l1"
    statistic: ClassVar[str] = "mask L1, share of the picture"
