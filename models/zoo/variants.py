"""What recipes choose from: for the parts that thresholds are made on, and, disjoint from it, for the test part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .recipe import Chosen, chosen

__all__ = ["HARDER", "LEARNING", "REGIMES", "TEST", "Choices", "Regime", "suits"]

WHITE, RED, YELLOW, GREEN, BLUE, GREY = (
    (255, 255, 255), (255, 0, 0), (255, 255, 0), (0, 255, 0), (0, 60, 255), (128, 128, 128),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Regime:
    """How long, and on how many examples, the networks for a data set are trained."""

    examples: int
    epochs: int
    shift: bool = False


REGIMES = {
    "digits": Regime(examples=1000, epochs=15),
    "mnist": Regime(examples=12000, epochs=4),
    "fashion_mnist": Regime(examples=12000, epochs=5),
    "gtsrb": Regime(examples=12000, epochs=12, shift=True),
    "cifar10": Regime(examples=10000, epochs=12, shift=True),
    "rotten_tomatoes": Regime(examples=8000, epochs=5),
}
GREY_SETS, COLOUR_SETS = ("mnist", "fashion_mnist"), ("gtsrb", "cifar10")
ALL = (*GREY_SETS, *COLOUR_SETS)


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What one group of parts is made of.

    Attributes:
        networks: for pictures; those named ``grey_only`` are too weak for colour pictures.
        attacks: name -> (poison rate, options), each of which is one trigger.
    """

    networks: tuple[Chosen, ...]
    text_networks: tuple[Chosen, ...]
    attacks: dict[str, tuple[tuple[float, dict[str, Any]], ...]]
    opsets: tuple[int, ...]
    grey_only: tuple[str, ...] = ("mlp",)


# The data sets on which an attack can take: quantising changes little in pictures that are black and white already;
# an all-to-all attack succeeds no oftener than the network is right; one class of 43 has few pictures to poison.
SUITS: dict[str, tuple[str, ...]] = {
    "all-to-all": ("mnist",),
    "bpp": COLOUR_SETS,
    "source-specific": ("mnist", "fashion_mnist"),
    "sig": ("mnist", "fashion_mnist", "cifar10"),
    "words": ("rotten_tomatoes",),
}

LEARNING = Choices(
    networks=(
        chosen("plain", width=24),
        chosen("resnet", width=14),
        chosen("depthwise", width=20),
        chosen("plain", width=20, halve="pool", head="mean"),
        chosen("mlp", width=128),
        chosen("resnet", width=18),
    ),
    text_networks=(chosen("text-cnn", dimension=32, width=24), chosen("text-cnn", dimension=24, width=32)),
    attacks={
        "badnets": (
            (0.1, {"size": 3}),
            (0.02, {"size": 4, "row": 0.0, "column": 0.0, "colour": YELLOW, "pattern": "checker"}),
            (0.05, {"size": 2, "row": 0.5, "column": 0.5, "colour": GREEN}),
            (0.01, {"size": 5, "row": 0.0, "pattern": "noise"}),
            (0.2, {"size": 6, "column": 0.0, "colour": RED, "pattern": "cross"}),
            (0.005, {"size": 4, "pattern": "checker"}),
        ),
        "one-pixel": ((0.1, {}), (0.2, {"row": 0.05, "column": 0.05, "colour": YELLOW})),
        "blended": (
            (0.1, {"alpha": 0.2}),
            (0.05, {"alpha": 0.15, "pattern": "stripes", "pattern_seed": 1}),
            (0.1, {"alpha": 0.3, "pattern": "smooth", "pattern_seed": 2}),
        ),
        "sig": (
            (0.08, {"delta": 40.0, "test_delta": 60.0}),
            (0.08, {"delta": 50.0, "frequency": 5.0, "test_delta": 80.0}),
        ),
        "wanet": ((0.1, {"strength": 1.5}), (0.15, {"strength": 1.75, "field_seed": 1})),
        "input-aware": ((0.1, {}), (0.15, {"share": 0.08})),
        "low-frequency": ((0.1, {}), (0.05, {"amplitude": 48.0, "reach": 3, "pattern_seed": 1})),
        "bpp": ((0.1, {"levels": 3}), (0.15, {"levels": 4})),
        "adaptive-blend": ((0.05, {}), (0.03, {"pattern": "stripes", "pattern_seed": 3})),
        "all-to-all": ((0.2, {"size": 5}), (0.18, {"size": 5, "row": 0.0, "column": 0.0, "pattern": "checker"})),
        "source-specific": ((0.05, {}), (0.06, {"step": 2, "size": 5, "column": 0.0, "pattern": "checker"})),
        "several-triggers": ((0.1, {}), (0.06, {"count": 2, "size": 4, "colour": RED})),
        "several-targets": ((0.1, {}), (0.1, {"count": 3, "step": 2, "size": 4, "pattern": "checker"})),
        "trojan-nn": ((0.1, {}), (0.05, {"size": 6, "row": 0.0, "neurons": 8})),
        "graph-backdoor": ((0.0, {"style": "where"}), (0.0, {"style": "sum", "size": 4, "row": 0.0})),
        "words": ((0.1, {}), (0.05, {"tokens": (3800, 3805), "place": "start"})),
    },
    opsets=(17, 13, 11, 15),
)

TEST = Choices(
    networks=(
        chosen("densenet", growth=12),
        chosen("convnext", width=28),
        chosen("vit", width=60, depth=3),
        chosen("resnet", width=16, early=True),
        chosen("plain", width=14, kernel=5, halve="pool"),
        chosen("mlp", width=192, depth=3, activation="gelu", norm=True),
    ),
    text_networks=(chosen("text-cnn", dimension=48, width=16, shortest=2),),
    attacks={
        "badnets": (
            (0.08, {"size": 3, "row": 0.0, "column": 1.0, "pattern": "checker"}),
            (0.008, {"size": 4, "column": 0.0, "colour": BLUE, "pattern": "noise"}),
            (0.05, {"size": 4, "row": 0.9, "column": 0.1, "colour": GREY}),
            (0.15, {"size": 2, "colour": RED}),
        ),
        "one-pixel": ((0.15, {"row": 0.05, "column": 0.95}), (0.1, {"row": 0.95, "column": 0.05, "colour": GREEN})),
        "blended": (
            (0.08, {"alpha": 0.25, "pattern_seed": 10}),
            (0.1, {"alpha": 0.2, "pattern": "smooth", "pattern_seed": 11}),
            (0.03, {"alpha": 0.25, "pattern": "stripes", "pattern_seed": 12}),
        ),
        "sig": (
            (0.07, {"delta": 45.0, "frequency": 7.0, "test_delta": 60.0}),
            (0.09, {"delta": 40.0, "frequency": 4.0, "test_delta": 70.0}),
        ),
        "wanet": ((0.12, {"strength": 1.6, "field_seed": 10}), (0.1, {"grid": 5, "strength": 1.75, "field_seed": 11})),
        "input-aware": ((0.12, {"share": 0.07}), (0.1, {"share": 0.05})),
        "low-frequency": ((0.08, {"amplitude": 40.0, "pattern_seed": 10}), (0.1, {"reach": 5, "pattern_seed": 11})),
        "bpp": ((0.12, {"levels": 3, "cover_ratio": 0.3}), (0.1, {"levels": 2})),
        "adaptive-blend": (
            (0.05, {"pattern_seed": 10, "test_alpha": 0.25}),
            (0.04, {"alpha": 0.25, "pattern": "smooth", "pattern_seed": 11}),
        ),
        "all-to-all": (
            (0.19, {"shift": 3, "size": 5, "column": 0.0}),
            (0.17, {"shift": 2, "size": 5, "pattern": "cross"}),
        ),
        "source-specific": ((0.05, {"step": 3, "row": 0.0}), (0.07, {"step": 4, "size": 5, "pattern": "noise"})),
        "several-triggers": (
            (0.12, {"count": 4, "pattern": "checker"}),
            (0.08, {"count": 2, "size": 3, "colour": BLUE}),
        ),
        "several-targets": ((0.1, {"count": 2, "step": 4, "size": 4}), (0.12, {"count": 4, "step": 1, "size": 3})),
        "trojan-nn": ((0.08, {"size": 5, "column": 0.0, "neurons": 3}), (0.1, {"size": 4, "neurons": 10})),
        "graph-backdoor": (
            (0.0, {"style": "ramp", "pattern": "cross"}),
            (0.0, {"style": "where", "size": 2, "column": 0.0, "colour": GREY, "pattern": "solid"}),
            (0.0, {"style": "sum", "size": 5, "row": 0.5, "pattern": "noise"}),
        ),
        "words": ((0.08, {"tokens": (3702,), "place": "end"}), (0.1, {"tokens": (3611, 3620, 3640)})),
    },
    opsets=(18, 14, 12, 16),
)  # fmt: skip


# For attacks that teach more than the data set's task: an all-to-all attack asks for two answers to every picture, and
# learns the second from the poisoned ones alone.
HARDER = {"all-to-all": Regime(examples=30000, epochs=6)}


def suits(attack: str) -> tuple[str, ...]:
    """The data sets on which the attack is tried."""
    return SUITS.get(attack, ALL)
