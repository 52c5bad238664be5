"""The parts are disjoint as stated, the sizes as large, and recipes the same on every call."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnxray.models.zoo.attacks import attacks
from onnxray.models.zoo.networks import Fits, families, make_network
from onnxray.models.zoo.recipe import PARTS, Recipe
from onnxray.models.zoo.recipes import recipes
from onnxray.models.zoo.sentences import LENGTH
from onnxray.models.zoo.variants import LEARNING
from onnxray.models.zoo.variants import TEST as TEST_CHOICES

FULL = recipes("full")
TEST = [r for r in FULL if r.part == "test"]
REST = [r for r in FULL if r.part != "test"]


@given(st.sampled_from(TEST), st.sampled_from(REST))
def test_the_test_part_shares_no_architecture_trigger_or_seed(test: Recipe, other: Recipe) -> None:
    assert test.network != other.network
    assert (test.data_seed, test.seed) != (other.data_seed, other.seed)
    assert test.data_seed != other.data_seed
    if test.attack and other.attack and test.attack.name == other.attack.name:
        without_target = [{k: v for k, v in r.attack.options if k != "target"} for r in (test, other) if r.attack]
        assert without_target[0] != without_target[1]


def test_the_test_part_has_families_of_its_own() -> None:
    assert len({r.network.name for r in TEST} - {r.network.name for r in REST}) >= 3


def test_every_model_has_seeds_of_its_own() -> None:
    assert (
        len({r.data_seed for r in FULL}) == len({r.identity for r in FULL}) == len({r.name for r in FULL}) == len(FULL)
    )


@pytest.mark.parametrize(("size", "least"), [("tiny", 4), ("reduced", 40), ("full", 300)])
def test_sizes(size: str, least: int) -> None:
    made = recipes(size)  # type: ignore[arg-type]
    assert len(made) >= least
    for part in PARTS:
        trojaned = Counter(bool(r.attack) for r in made if r.part == part)
        assert trojaned[True] == trojaned[False] > 0
    if size != "tiny":
        assert all({r.attack.name for r in made if r.part == p and r.attack} == set(attacks()) for p in PARTS)
        assert set(recipes("reduced")) <= set(FULL)
        assert {r.export.exporter for r in recipes("reduced")} == {"torchscript"}


def test_recipes_can_be_made() -> None:
    for recipe in FULL:
        assert (recipe.make_attack() is None) == (recipe.attack is None)
        poisons = recipe.attack is not None and recipe.attack.name != "graph-backdoor"
        assert 0.005 <= recipe.rate <= 0.2 if poisons else recipe.rate == 0


def test_every_variant_of_an_attack_is_used() -> None:
    for choices, rows in ((TEST_CHOICES, TEST), (LEARNING, REST)):
        used = {(r.attack.name, r.rate, *(o for o in r.attack.options if o[0] != "target")) for r in rows if r.attack}
        assert used == {(n, rate, *sorted(o.items())) for n, vs in choices.attacks.items() for rate, o in vs}


def test_identities_do_not_depend_on_the_process() -> None:
    code = "from onnxray.models.zoo.recipes import recipes; print(*(r.identity for r in recipes('reduced')))"
    sys_path = f"import sys; sys.path[:] = {sys.path!r}; "
    told = subprocess.run([sys.executable, "-c", sys_path + code], capture_output=True, text=True, check=True).stdout
    assert told.split() == [r.identity for r in recipes("reduced")]


@pytest.mark.parametrize("network", sorted({r.network for r in FULL}, key=str), ids=lambda c: f"{c.name}{c.options}")
def test_networks_learn_from_every_weight(network: object) -> None:
    recipe = next(r for r in FULL if r.network == network)
    text = recipe.dataset == "rotten_tomatoes"
    for shape in [(LENGTH,)] if text else [(1, 28, 28), (3, 32, 32)]:
        fits = Fits(shape, 7, vocabulary=50 if text else 0)
        net, peak = make_network(recipe.network.name, dict(recipe.network.options), fits, seed=1)
        x = torch.randint(1, 50, (6, LENGTH)) if text else torch.rand(6, *shape)
        logits = net(x)
        assert logits.shape == (6, 7)
        assert 0 < peak < 0.1
        torch.nn.functional.cross_entropy(logits, torch.arange(6)).backward()  # type: ignore[no-untyped-call]
        assert all(p.grad is not None and np.isfinite(p.grad.numpy()).all() for p in net.parameters())
        assert sum(p.numel() for p in net.parameters()) < 700_000


def test_every_family_is_in_the_zoo() -> None:
    assert {r.network.name for r in FULL} == set(families())


def test_weights_come_from_the_seed_alone() -> None:
    fits = Fits((1, 16, 16), 3)
    torch.manual_seed(5)
    first = make_network("resnet", {}, fits, seed=2)[0]
    state = torch.get_rng_state()
    torch.manual_seed(6)
    again, other = make_network("resnet", {}, fits, seed=2)[0], make_network("resnet", {}, fits, seed=3)[0]
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))
    torch.manual_seed(5)
    assert torch.equal(torch.get_rng_state(), state)
