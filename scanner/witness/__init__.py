"""Proof of a gate: inputs on which it is silent, and one that makes it fire, judged in onnxruntime on the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Proof", "Witness"]

SMALL = 0.1  # share of a picture that a trigger covers at most


@dataclass(frozen=True, eq=False)
class Witness:
    """A picture that makes a gate fire.

    Attributes:
        before: the picture (C, H, W) in [0, 1] that it was made from.
        picture: the same with a few pixels changed, in [0, 1], every value a multiple of 1/255.
        input: ``picture`` in the model's own domain, without the batch axis.
        class_before: what the file says of the first.
        class_after: what it says of the second.
        class_held: what it says of the second while the gate is held silent: the class before, so that it is the gate
            that changes the answer and not the picture.
        pixels: how many pixels differ.
        turned: how many of ``tried`` other pictures become ``class_after`` with the same pixels changed.
    """

    before: NDArray[np.float32]
    picture: NDArray[np.float32]
    input: NDArray[Any]
    class_before: int
    class_after: int
    class_held: int
    pixels: int
    turned: int = 0
    tried: int = 0

    @property
    def share(self) -> float:
        """The pixels that differ as a share of the picture, in [0, 1]."""
        return float(self.pixels / max(1, self.picture[0].size))


@dataclass(frozen=True, eq=False)
class Proof:
    """What running the file tells of one gate.

    Attributes:
        rule: id of the rule that found the gate.
        location: of its switch, as in the finding.
        silent: whether the gate's signal was the same for every natural and random input.
        natural, random: how many of them were tried.
        unchanged: whether the file's answers to all of them stay the same to the bit while the gate is held.
        held: tensor -> the value at which it is held, for ``converters.probe.frozen``; empty where it cannot be.
        witness: None where none was found.
        why: where there is no proof, what stood in its way.
        serious: whether the gate is suspicious by itself.
    """

    rule: str
    location: str
    silent: bool = False
    natural: int = 0
    random: int = 0
    unchanged: bool = False
    held: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    witness: Witness | None = None
    why: str = ""
    serious: bool = True

    @property
    def convicts(self) -> bool:
        """Whether it proves a backdoor: the gate is silent on ordinary inputs, and a witness makes it fire.

        Of a gate that by itself would only be a note, such as a check of the pictures' range, the witness must be an
        ordinary picture but for a small part: a picture that is black all over may well be treated otherwise.
        """
        return self.silent and self.witness is not None and (self.serious or self.witness.share <= SMALL)

    @property
    def words(self) -> str:
        """The proof in a sentence or two."""
        tried = f"{self.natural} natural and {self.random} random inputs"
        quiet = f"silent on {tried}" if self.silent else f"not silent on {tried}"
        if self.witness is None:
            return f"{quiet}; no input was found that makes it fire ({self.why})" if self.why else quiet
        w = self.witness
        also = f", and {w.turned} of {w.tried} other pictures with the same pixels" if w.tried else ""
        return (
            f"{quiet}; changing {w.pixels} pixels of a picture turns its class {w.class_before} into {w.class_after} "
            f"in onnxruntime on the file itself{also}; with the gate held silent it is {w.class_held}"
        )
