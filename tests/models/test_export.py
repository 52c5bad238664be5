"""The exported file computes what the network computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnxray.converters import open_model
from onnxray.models.export import OPSET, export
from onnxray.models.networks import small_cnn


def trained_statistics(channels: int = 1, side: int = 28) -> torch.nn.Sequential:
    """A network whose batch normalisation is not the identity, so that folding it wrongly would show."""
    network = small_cnn(3, side=side, channels=channels, classes=5, width=4).train()
    with torch.no_grad():
        for _ in range(20):
            network(torch.rand(16, channels, side, side))
    return network.eval()


@pytest.mark.parametrize("softmax", [True, False])
@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 32), (1, 9)])
def test_onnxruntime_agrees_with_torch(tmp_path: Path, softmax: bool, channels: int, side: int) -> None:
    network, path = trained_statistics(channels, side), tmp_path / "network.onnx"
    export(network, path, (channels, side, side), softmax=softmax)
    images = torch.rand(7, channels, side, side)
    with torch.no_grad():
        expected = network(images)
    model = open_model(path)
    np.testing.assert_allclose(
        model.run(images.numpy()), (expected.softmax(1) if softmax else expected).numpy(), atol=1e-5
    )
    assert model.facts.head == (("Softmax",) if softmax else ())


@pytest.mark.parametrize("batch", [1, 5, 64])
def test_batch_axis_is_free(tmp_path: Path, batch: int) -> None:
    export(small_cnn(0), tmp_path / "network.onnx", (1, 28, 28))
    model = open_model(tmp_path / "network.onnx")
    assert model.facts.input.shape == (None, 1, 28, 28)
    assert model.run(np.zeros((batch, 1, 28, 28), np.float32)).shape == (batch, 10)


def test_file_is_plain_and_signed(tmp_path: Path) -> None:
    export(small_cnn(0), tmp_path / "network.onnx", (1, 28, 28))
    file = onnx.load(tmp_path / "network.onnx")
    assert file.producer_name == "onnxray.models"
    assert [o.version for o in file.opset_import] == [OPSET]
    assert [node.op_type for node in file.graph.node] == ["Conv", "Relu"] * 3 + ["Flatten", "Gemm", "Softmax"]


def test_network_is_made_by_its_seed_alone() -> None:
    before = torch.random.get_rng_state()
    first, again, other = (next(small_cnn(seed).parameters()) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
