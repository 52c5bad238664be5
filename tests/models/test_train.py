"""Training learns, and learns the same for the same seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnxray.models.augment import augment
from onnxray.models.bundled_files import bundled
from onnxray.models.networks import small_cnn
from onnxray.models.train import as_input, train


@dataclass(frozen=True, eq=False)
class Pictures:
    x: NDArray[np.uint8]
    y: NDArray[np.int64]


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    with np.load(bundled("samples.npz")) as file:
        return Pictures(file["x"], file["y"])


def weights(pictures: Pictures, seed: int, epochs: int = 1) -> torch.Tensor:
    network = small_cnn(0, width=4)
    train(network, pictures.x, pictures.y, seed, epochs)
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def test_same_seed_same_weights(pictures: Pictures) -> None:
    torch.manual_seed(1)
    first = weights(pictures, seed=5)
    torch.manual_seed(2)  # the global generator must not matter
    assert torch.equal(first, weights(pictures, seed=5))
    assert not torch.equal(first, weights(pictures, seed=6))


def test_weights_do_not_depend_on_the_number_of_threads(pictures: Pictures) -> None:
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        first = weights(pictures, seed=5)
        torch.set_num_threads(3)
        assert torch.equal(first, weights(pictures, seed=5))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)


def test_training_learns(pictures: Pictures) -> None:
    network = small_cnn(0)
    train(network, pictures.x, pictures.y, seed=0, epochs=20)
    assert not network.training
    with torch.no_grad():
        predicted = network(torch.from_numpy(as_input(pictures.x))).argmax(1).numpy()
    assert (predicted == pictures.y).mean() > 0.6  # chance is 0.1


@pytest.mark.parametrize(("stored", "input_shape"), [((2, 5, 6), (2, 1, 5, 6)), ((2, 5, 6, 3), (2, 3, 5, 6))])
def test_stored_pictures_become_unit_range_channels_first(
    stored: tuple[int, ...], input_shape: tuple[int, ...]
) -> None:
    images = np.random.default_rng(0).integers(0, 256, stored, np.uint8)
    images.flat[0] = 255
    inputs = as_input(images)
    assert inputs.shape == input_shape
    assert inputs.dtype == np.float32
    assert inputs.max() == 1.0
    channel = images if images.ndim == 3 else images[..., 0]
    np.testing.assert_allclose(inputs[:, 0] * 255, channel, atol=1e-4)


@given(channels=st.sampled_from([1, 3]), height=st.integers(11, 20), width=st.integers(11, 20), seed=st.integers(0, 99))
def test_augmented_pictures_keep_shape_and_range(channels: int, height: int, width: int, seed: int) -> None:
    images = torch.rand(6, channels, height, width)
    changed = augment(images, torch.Generator().manual_seed(seed))
    assert changed.shape == images.shape
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert torch.equal(changed, augment(images, torch.Generator().manual_seed(seed)))


def test_augmentation_moves_by_at_most_two_pixels_and_paints_one_rectangle() -> None:
    dot = torch.zeros(400, 1, 20, 20)
    dot[:, :, 10, 10] = 2.0  # brighter than any paint
    changed = augment(dot, torch.Generator().manual_seed(0))
    places = (changed == 2).nonzero()[:, 2:]
    assert places.min() == 8
    assert places.max() == 12
    painted = ((changed > 0) & (changed < 2)).flatten(1).sum(1)
    assert 100 < int((painted > 0).sum()) < 300  # half of 400
    assert int(painted.max()) <= 10 * 10
