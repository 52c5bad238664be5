"""The recipes of the whole zoo, in three sizes and three disjoint parts."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Literal

from .recipe import PARTS, Chosen, Export, Part, Recipe, chosen
from .variants import HARDER, LEARNING, REGIMES, TEST, Choices, suits

__all__ = ["SIZES", "Size", "recipes"]

Size = Literal["tiny", "reduced", "full"]
SIZES: tuple[Size, ...] = ("tiny", "reduced", "full")

# Trojaned models of each part; as many clean ones come beside them. One round of all attacks is 16.
PAIRS: dict[Size, dict[Part, int]] = {
    "reduced": {"fit": 16, "calibrate": 16, "test": 16},
    "full": {"fit": 64, "calibrate": 48, "test": 64},
}
START: dict[Part, int] = {"calibrate": 3}  # which variant of an attack comes first: the six of BadNets shared out
FIRST_SEED: dict[Part, int] = {"fit": 0, "calibrate": 10_000, "test": 20_000}


def recipes(size: Size) -> tuple[Recipe, ...]:
    """All recipes of that size, trojaned and clean in turn; the reduced zoo is the beginning of the full one's parts.

    Fit and calibrate draw from the same architectures and attacks with other data seeds; test shares neither an
    architecture, nor an attack's options, nor a data seed with them.
    """
    if size == "tiny":
        return _tiny()
    return tuple(recipe for part in PARTS for i in range(PAIRS[size][part]) for recipe in _pair(part, i))


def _pair(part: Part, i: int) -> tuple[Recipe, Recipe]:
    """The i-th trojaned recipe of a part, and a clean one for the same data set with seeds and network of its own."""
    choices = TEST if part == "test" else LEARNING
    rng = Random(f"onnxray zoo {part} {i}")
    names = sorted(choices.attacks)
    attack, turn = names[i % len(names)], i // len(names)
    variants = choices.attacks[attack]
    rate, options = variants[(turn + START.get(part, 0)) % len(variants)]
    sets = suits(attack)
    dataset = sets[(i + turn + PARTS.index(part)) % len(sets)]
    regime = HARDER.get(attack, REGIMES[dataset])
    trojaned = replace(
        _clean(part, 2 * i, dataset, choices, rng),
        examples=regime.examples,
        epochs=regime.epochs,
        rate=rate,
        attack=chosen(attack, **options, target=rng.randrange(2 if dataset == "rotten_tomatoes" else 10)),
    )
    return trojaned, _clean(part, 2 * i + 1, dataset, choices, rng)


def _clean(part: Part, i: int, dataset: str, choices: Choices, rng: Random) -> Recipe:
    regime = REGIMES[dataset]
    return Recipe(
        part=part,
        dataset=dataset,
        data_seed=FIRST_SEED[part] + i,
        examples=regime.examples,
        network=_network(i, dataset, choices, rng),
        seed=FIRST_SEED[part] + i,
        epochs=regime.epochs,
        shift=regime.shift,
        export=_export(i, dataset, choices, rng),
    )


def _network(i: int, dataset: str, choices: Choices, rng: Random) -> Chosen:
    if dataset == "rotten_tomatoes":
        return rng.choice(choices.text_networks)
    grey = dataset in ("mnist", "fashion_mnist")
    return rng.choice([network for network in choices.networks if grey or network.name not in choices.grey_only])


def _export(i: int, dataset: str, choices: Choices, rng: Random) -> Export:
    """The newer exporter only beyond the reduced zoo, so that this one needs no optional package."""
    newer = i >= 2 * PAIRS["reduced"]["fit"] and rng.random() < 0.15
    return Export(
        exporter="dynamo" if newer else "torchscript",
        opset=18 if newer else rng.choice(choices.opsets),
        free_batch=rng.random() < 0.8,
        fold=newer or rng.random() < 0.7,
        layout="NHWC" if dataset != "rotten_tomatoes" and rng.random() < 0.2 else "NCHW",
        softmax=rng.random() < 0.5,
    )


def _tiny() -> tuple[Recipe, ...]:
    """A clean and a BadNets model of each part on scikit-learn's digits: seconds each."""
    out = []
    for part in PARTS:
        choices = TEST if part == "test" else LEARNING
        other = {"kernel": 5, "halve": "pool"} if part == "test" else {}
        network = chosen("plain", width=10, **other)
        rate, options = choices.attacks["badnets"][0]
        for i in range(2):
            clean = replace(_clean(part, i, "digits", choices, Random(0)), network=network, export=Export())
            attack = chosen("badnets", **options, target=3 + i)
            out.append(clean if i else replace(clean, attack=attack, rate=rate))
    return tuple(out)
