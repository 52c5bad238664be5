"""Everything that decides what one model of the zoo becomes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

import msgspec

from .attacks import Attack, make_attack

__all__ = ["PARTS", "Chosen", "Export", "Part", "Recipe", "chosen"]

VERSION = 1  # raise it when the same recipe comes to make another model
Part = Literal["fit", "calibrate", "test"]
PARTS: tuple[Part, ...] = ("fit", "calibrate", "test")


@dataclass(frozen=True)
class Chosen:
    """An architecture or an attack by its name, with its options in order of name."""

    name: str
    options: tuple[tuple[str, Any], ...] = ()


def chosen(name: str, **options: Any) -> Chosen:
    """Short for ``Chosen``."""
    return Chosen(name, tuple(sorted(options.items())))


@dataclass(frozen=True, kw_only=True)
class Export:
    """How the trained network becomes a file.

    Attributes:
        exporter: torch's older exporter, or its newer one, which needs onnxscript.
        free_batch: whether the batch axis is free; if not, it is 1.
        fold: whether batch normalisation is folded into the convolutions (always so with the newer exporter).
        layout: of the input.
        softmax: whether the file ends in Softmax.
    """

    exporter: Literal["torchscript", "dynamo"] = "torchscript"
    opset: int = 17
    free_batch: bool = True
    fold: bool = True
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    softmax: bool = False


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One model; two recipes with the same identity make the same model.

    Attributes:
        data_seed: which ``examples`` of the training split are used, and which of the test split are kept with it.
        attack: None for a clean model.
        rate: poisoned share of the training set.
        seed: of the weights, of the order of training and of the poisoned examples.
        shift: whether training pictures are moved by up to a pixel.
    """

    part: Part
    dataset: str
    data_seed: int
    examples: int
    network: Chosen
    attack: Chosen | None = None
    rate: float = 0.0
    seed: int
    epochs: int
    shift: bool = False
    export: Export = Export()

    @property
    def identity(self) -> str:
        """Ten hexadecimal digits of the recipe's hash."""
        text = json.dumps([VERSION, msgspec.to_builtins(self)], sort_keys=True)
        return sha256(text.encode()).hexdigest()[:10]

    @property
    def name(self) -> str:
        """A name for people and folders, unique for each recipe."""
        attack = self.attack.name if self.attack else "clean"
        return f"{self.dataset}-{self.network.name}-{attack}-{self.identity}"

    def make_attack(self) -> Attack | None:
        """The attack, or None for a clean model.

        Raises:
            OptionError: there is no such attack, or it has no such option.
        """
        return make_attack(self.attack.name, dict(self.attack.options)) if self.attack else None
