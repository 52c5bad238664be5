"""Surrogates: what is easy by nature is easy for a network that only knows the clean samples, too."""

import numpy as np
import pytest
import torch
from onnxray.models.bundled_files import bundled
from onnxray.scanner.domain import InputDomain
from onnxray.scanner.findings import Evidence
from onnxray.scanner.samples import Samples, stratified
from onnxray.scanner.signals import signals
from onnxray.scanner.surrogates import Surrogates, make_surrogates, unlearnable

DOMAIN = InputDomain("[0, 1]", "NCHW", 1, 28, 28, scale=1.0)


@pytest.fixture(scope="module")
def clothes() -> Samples:
    """Two hundred bundled pictures, twenty of each class."""
    with np.load(bundled("samples.npz")) as arrays:
        index = stratified(arrays["y"], 200, 0)
        return Samples(arrays["x"][index, None].astype(np.float32) / 255, arrays["y"][index].astype(np.int64), DOMAIN)


@pytest.fixture(scope="module")
def surrogates(clothes: Samples) -> Surrogates:
    made = make_surrogates(clothes, 10, 0, "cpu")
    assert made is not None
    return made


def always(fraction: float) -> bool:
    return True


def test_the_network_learns_the_samples_and_leaves_torch_s_generator_alone(surrogates: Surrogates) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    networks = surrogates.networks
    assert torch.equal(torch.rand(3), expected)
    for network in networks:
        assert (network(surrogates.images).argmax(1) == surrogates.labels).float().mean() > 0.8


def test_bags_are_easy_by_nature(surrogates: Surrogates) -> None:
    """Clean networks of every kind need small triggers for class 8 of Fashion-MNIST, and large ones for shoes."""
    natural = surrogates.sizes("l1", always)
    assert natural.shape == (10,)
    assert natural[8] > 0.1
    assert natural[7] < 0


def test_what_the_networks_disagree_about_is_not_nature(surrogates: Surrogates) -> None:
    one, other = np.linspace(-1, 1, 10), np.linspace(1, -1, 10)
    assert (surrogates._agreed([one, other]) == 0).all()
    assert surrogates._agreed([one, one]) == pytest.approx(one)
    assert surrogates._agreed([one, np.full(10, np.nan)]) == pytest.approx(0)


def test_margins_are_relative_too(surrogates: Surrogates) -> None:
    margins = surrogates.margins(always)
    assert margins.shape == (10,)
    assert np.isfinite(margins).all()


def test_a_search_without_time_tells_nothing(surrogates: Surrogates) -> None:
    assert (surrogates.sizes("l1", lambda fraction: False) == 0).all()


def test_where_nothing_would_be_learnt_there_are_none(clothes: Samples) -> None:
    assert make_surrogates(clothes, 31, 0, "cpu") is None
    assert make_surrogates(clothes.take(np.arange(0, 200, 8)), 10, 0, "cpu") is None
    large = Samples(np.zeros((60, 1, 65, 65), np.float32), np.repeat(np.arange(10), 6), DOMAIN)
    assert make_surrogates(large, 10, 0, "cpu") is None


def test_want_of_pictures_is_told_apart_from_models_that_it_is_not_made_for(clothes: Samples) -> None:
    few = clothes.take(np.arange(0, 200, 8))
    assert unlearnable(clothes, 10) == ("", False)
    assert unlearnable(few, 10)[1]
    assert "give more with --data" in unlearnable(few, 10)[0]
    assert not unlearnable(clothes, 31)[1]
    assert "up to 30 classes" in unlearnable(clothes, 31)[0]


def test_signals_take_off_what_is_so_by_nature() -> None:
    sizes = (0.1, 0.1, 0.1, 0.05, 0.1, 0.025)
    plain = Evidence("search", sizes, "share", sizes=True)
    natural = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    known = Evidence("search", sizes, "share", sizes=True, details={"natural": natural})
    before, after = (signals([e], None, 6)["search.far"] for e in (plain, known))
    assert before[3] == pytest.approx(1.0)
    assert after[3] == pytest.approx(0.25)
    assert after[5] == before[5] == pytest.approx(2.0)


def test_the_network_is_the_same_however_many_threads_there_are(surrogates: Surrogates, clothes: Samples) -> None:
    """A report must not depend on how many scans share a machine's cores."""
    threads = torch.get_num_threads()
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            again = make_surrogates(clothes, 10, 0, "cpu")
            assert again is not None
            for ours, theirs in zip(again.networks, surrogates.networks, strict=True):
                pairs = zip(ours.parameters(), theirs.parameters(), strict=True)
                assert all(torch.equal(a, b) for a, b in pairs)
            assert torch.get_num_threads() == number
    finally:
        torch.set_num_threads(threads)
