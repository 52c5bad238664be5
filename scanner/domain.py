"""Between pictures and the model's own input: layout, range, mean and standard deviation, channel order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .findings import Rate
from .fitting import Fit

__all__ = ["DomainChoice", "InputDomain"]


@dataclass(frozen=True)
class InputDomain:
    """How raw pictures (N, C, H, W) in [0, 1], RGB or grey, become the model's input.

    A trigger lives and is blended in the raw domain (METHODS: Neural Cleanse blends before preprocessing); this map
    is affine per channel followed by a transpose or reshape, so gradients pass through it unchanged in kind.

    Attributes:
        name: the convention in words, e.g. "[0, 1]" or "ImageNet mean and std".
        layout: axes of the model's input, one of ``axes.LAYOUTS``: "NCHW", "NHWC", "NHW" (grey), "flat" (N, C*H*W),
            "flat1" (N, C*H*W, 1), "flat HWC" and "flat1 HWC" (the same with the channel of each pixel last).
        scale: what a raw 1.0 becomes before mean and std: 1 or 255; negative where the model wants inverted pictures.
        mean, std: per channel, in scaled units, in the model's channel order.
        bgr: whether the model wants blue first.
    """

    name: str
    layout: str
    channels: int
    height: int
    width: int
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    bgr: bool = False

    def to_input(self, images: Any) -> Any:
        """Raw pictures (N, C, H, W) in [0, 1] as the model's input; works on numpy arrays and torch tensors alike."""
        is_numpy = isinstance(images, np.ndarray)
        x = images[:, [2, 1, 0]] if self.bgr else images
        mean, std = (self._per_channel(v, x, is_numpy) for v in (self.mean, self.std))
        x = (x * self.scale - mean) / std
        if self.layout.endswith("HWC"):
            x = x.transpose(0, 2, 3, 1) if is_numpy else x.permute(0, 2, 3, 1)
        if not self.layout.startswith("flat"):
            return x[:, 0] if self.layout == "NHW" else x
        return x.reshape(len(x), -1, 1) if self.layout.startswith("flat1") else x.reshape(len(x), -1)

    def _per_channel(self, values: tuple[float, ...], like: Any, is_numpy: bool) -> Any:
        array = np.asarray(values, dtype=np.float32).reshape(1, -1, 1, 1)
        return array if is_numpy else like.new_tensor(array)


@dataclass(frozen=True)
class DomainChoice:
    """Which convention was kept, and by what margin it won.

    Attributes:
        accuracy: clean accuracy under it, in onnxruntime on the original file.
        chance: the accuracy that guessing the commonest label would reach, in [0, 1].
        beats_chance: whether ``accuracy`` is clearly above chance (binomial test, corrected for the number tried).
        tried: every convention with its accuracy, best first.
        how: "found", "given" (flags), the name of the file beside the model that said so, or "found, against FILE ..."
            where that file names a convention that does clearly worse.
        numbering: how the classes of the data got their numbers, in words, where it was not the data or the model that
            numbered them; else empty.
        fit: how pictures are brought to the model's size.
    """

    domain: InputDomain
    accuracy: Rate
    chance: float
    beats_chance: bool
    tried: tuple[tuple[str, float], ...] = ()
    how: str = "found"
    numbering: str = ""
    fit: Fit = field(default_factory=Fit)

    @property
    def margin(self) -> float:
        """Accuracy above the best other convention that was tried; 0 where there was no other."""
        return self.accuracy.value - self.tried[1][1] if len(self.tried) > 1 else 0.0

    @property
    def complaint(self) -> str:
        """What to tell a user whose pictures the model does not understand."""
        order = f" (they are numbered {self.numbering}; numbers as names overrule that)" if self.numbering else ""
        return (
            f"no input convention is clearly better than guessing: the best, {self.domain.name}, gives "
            f"{self.accuracy.value:.1%} of {self.accuracy.trials} pictures their label, guessing gives "
            f"{self.chance:.1%}; check that the data is what the model was trained for and that its labels are in the "
            f"model's order{order}, or give --layout, --range, --mean and --std"
        )
