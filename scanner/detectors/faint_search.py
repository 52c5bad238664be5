"""Faint search: the faintest pattern of every class, and the class whose pattern may be too faint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..mask_size import MaskNorm
from ._trigger_search import TriggerSearch


@dataclass(frozen=True, kw_only=True)
class FaintSearch(TriggerSearch):
    """Flag a class that an unusually faint pattern, spread over the picture, can reach from every other class.

    The search of neural-cleanse with another price: for each class, find the mask and the pattern that send all samples
    to it, and make the root mean square of the mask small instead of its area. An area's price asks for few pixels,
    however strongly changed; a mean square's asks for weak changes, however many. So it sees what the other misses: a
    picture blended over all others, waves, and changes in their spectrum.

    Assumes: gradients; at least 20 clean samples to optimise on (100 or more are better); one trigger for all pictures.
    Misses: small opaque patches (neural-cleanse looks for those), triggers that warp the picture or differ from sample
    to sample, unless some fixed pattern sets them off too; source-specific and all-to-all backdoors.

    Our own combination: the objective of Wang et al., "Neural Cleanse", IEEE S&P 2019, eq. 3, with the L2 norm of the
    mask in place of its L1 norm.
    """

    name: ClassVar[str] = "faint-search"
    norm: ClassVar[MaskNorm] = "l2"
    statistic: ClassVar[str] = "root mean square of the mask, share of full strength"
