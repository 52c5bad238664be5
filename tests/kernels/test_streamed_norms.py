import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnxray.kernels.streamed_norms import LayerNorms, StreamedNorms, Summary
from torch import Tensor


def streamed(batches: list[Tensor]) -> LayerNorms:
    stream = StreamedNorms()
    for batch in batches:
        stream.add("layer", batch)
    return stream["layer"]


def assert_summary(got: Summary, numbers: NDArray[np.float64], largest: NDArray[np.float64], scale: float) -> None:
    """Compare with (many, C) numbers held at once."""
    assert got.count == len(numbers)
    np.testing.assert_allclose(got.mean, numbers.mean(0), rtol=2e-6, atol=2e-6 * scale)
    np.testing.assert_allclose(got.variance, numbers.var(0), rtol=1e-4, atol=1e-9 * scale**2)
    np.testing.assert_allclose(got.total, numbers.sum(0), rtol=2e-6, atol=2e-6 * scale * len(numbers))
    np.testing.assert_allclose(got.squares, (numbers**2).sum(0), rtol=1e-5)
    np.testing.assert_allclose(got.largest, largest, rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 6), min_size=1, max_size=6).filter(any),
    positions=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    channels=st.integers(1, 5),
    offset=st.sampled_from([0.0, 50.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_batches_give_the_statistics_of_the_whole(
    sizes: list[int], positions: list[int], channels: int, offset: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    spatial = [positions[i % len(positions)] for i in range(len(sizes))]  # pictures of several sizes
    data = [
        (rng.normal(size=(n, channels, s)) + offset).astype(np.float32).astype(np.float64)
        for n, s in zip(sizes, spatial, strict=True)
    ]
    got = streamed([torch.from_numpy(x).float() for x in data])
    for summary, norm in ((got.l1, 1), (got.l2, 2), (got.linf, np.inf)):
        norms = np.concatenate([np.linalg.norm(x, norm, axis=2) for x in data])
        assert_summary(summary, norms, norms.max(0), float(norms.max()))
    values = np.concatenate([x.transpose(0, 2, 1).reshape(-1, channels) for x in data])
    assert_summary(got.activations, values, np.abs(values).max(0), offset + 5)


@settings(max_examples=60, deadline=None)
@given(sizes=st.tuples(*[st.integers(0, 5)] * 3), seed=st.integers(0, 2**32 - 1))
def test_merging_is_associative(sizes: tuple[int, int, int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    a, b, c = (LayerNorms.of(torch.randn(n, 3, 4, generator=generator)) for n in sizes)
    one, other = a.merged(b).merged(c), a.merged(b.merged(c))
    for name in ("l1", "l2", "linf", "activations"):
        left, right = getattr(one, name), getattr(other, name)
        assert left.count == right.count
        for field in ("mean", "deviations", "largest"):
            torch.testing.assert_close(
                getattr(left, field), getattr(right, field), rtol=1e-12, atol=1e-12, equal_nan=True
            )


def test_two_streams_make_one() -> None:
    x, y = torch.randn(5, 3, 8), torch.randn(7, 3, 8)
    one, two, both = StreamedNorms(), StreamedNorms(), StreamedNorms()
    one.add("a", x)
    two.add("a", y)
    two.add("b", y[:, :2])
    both.add("a", torch.cat([x, y]))
    one.merge(two)
    assert list(one) == ["a", "b"]
    assert len(two) == 2
    torch.testing.assert_close(one["a"].l2.variance, both["a"].l2.variance)
    assert two["a"].l2.count == 7


def test_a_small_spread_far_from_zero_survives_many_batches() -> None:
    x = (torch.randn(200, 2, 50, dtype=torch.float64) * 0.01 + 1000).float()
    got = streamed(list(torch.tensor_split(x, 29))).activations.variance
    torch.testing.assert_close(got, x.double().transpose(0, 1).flatten(1).var(1, correction=0), rtol=1e-3, atol=0)


def test_nothing_held_is_larger_than_the_channels() -> None:
    layer = streamed([torch.randn(3, 4, 50, 50)] * 3)
    held = [t for s in vars(layer).values() for t in vars(s).values() if isinstance(t, Tensor)]
    assert {t.shape for t in held} == {(4,)}
    assert all(t.untyped_storage().nbytes() <= 4 * 3 * 8 for t in held)
    assert not any(t.requires_grad for t in held)


def test_activations_of_a_running_network_hold_no_graph() -> None:
    x = torch.randn(2, 3, 4, requires_grad=True)
    assert not streamed([x * 2]).l1.mean.requires_grad


def test_one_nan_is_not_lost() -> None:
    x = torch.randn(2, 3, 4)
    x[1, 1, 2] = torch.nan
    got = streamed([torch.randn(2, 3, 4), x, torch.randn(2, 3, 4)])
    for summary in (got.l1, got.l2, got.linf, got.activations):
        assert summary.mean.isnan().tolist() == [False, True, False]
        assert summary.largest.isnan().tolist() == [False, True, False]


def test_an_infinite_activation_makes_the_mean_infinite() -> None:
    got = streamed([torch.tensor([[[1.0, torch.inf]]]), torch.ones(1, 1, 2)])
    assert got.l1.mean.item() == got.activations.mean.item() == torch.inf


@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 3, 0), (2, 0, 4)])
def test_nothing_counts_nothing(shape: tuple[int, ...]) -> None:
    got = streamed([torch.empty(shape)])
    assert got.activations.count == 0
    assert got.l1.count == shape[0]
    assert not got.activations.total.any()


def test_another_number_of_channels_is_refused() -> None:
    stream = StreamedNorms()
    stream.add("conv1", torch.ones(1, 3, 2))
    with pytest.raises(ValueError, match="expected 3 channels in layer 'conv1', as before, got 4"):
        stream.add("conv1", torch.ones(1, 4, 2))
