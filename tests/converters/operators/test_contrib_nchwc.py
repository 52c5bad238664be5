"""Graphs that onnxruntime saved with its processor's own layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper, numpy_helper
from onnxray.converters.operators.contrib_nchwc import _block, nchwc_upsample, reorder_input, reorder_output
from onnxray.converters.to_torch import network_of
from torch import nn

RNG = np.random.default_rng(0)
CASES: dict[str, tuple[list[Any], tuple[int, ...]]] = {
    # nodes as (operator, attributes, shape of a kernel), and the input's shape
    "few input channels": ([("Conv", {"pads": [1] * 4}, (20, 3, 3, 3)), ("Relu", {}, ())], (2, 3, 8, 8)),
    "whole blocks": ([("Conv", {"strides": [2, 2]}, (32, 32, 3, 3)), ("MaxPool", {"kernel_shape": [2, 2]}, ())],
                     (1, 32, 9, 9)),
    "depthwise": ([("Conv", {"group": 32, "pads": [1] * 4}, (32, 1, 3, 3)), ("Relu", {}, ())], (1, 32, 6, 6)),
    "groups": ([("Conv", {"group": 2}, (64, 32, 3, 3)), ("Relu", {}, ())], (1, 64, 6, 6)),
    "pooling": ([("Conv", {}, (20, 20, 1, 1)), ("AveragePool", {"kernel_shape": [3, 3], "pads": [1] * 4}, ()),
                 ("GlobalAveragePool", {}, ())], (2, 20, 6, 6)),
    "largest": ([("Conv", {}, (20, 20, 1, 1)), ("GlobalMaxPool", {}, ())], (2, 20, 6, 6)),
}  # fmt: skip


def chain(nodes: list[Any], shape: tuple[int, ...]) -> onnx.ModelProto:
    """One operator after another, each convolution with random weights and a bias."""
    made, weights, name = [], [], "x"
    for i, (kind, attributes, kernel) in enumerate(nodes):
        inputs = [name]
        if kernel:
            inputs += [f"w{i}", f"b{i}"]
            values = (RNG.normal(size=kernel), RNG.normal(size=kernel[0]))
            weights += [
                numpy_helper.from_array(v.astype(np.float32), n) for v, n in zip(values, inputs[1:], strict=True)
            ]
        name = f"y{i}"
        made.append(helper.make_node(kind, inputs, [name], **attributes))
    infos = [helper.make_tensor_value_info(n, 1, s) for n, s in (("x", shape), (name, None))]
    graph = helper.make_graph(made, "g", infos[:1], infos[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def saved(model: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(path)
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return onnx.load(path)


@pytest.mark.parametrize("case", CASES)
def test_values_are_those_of_the_graph_before_optimisation(case: str, tmp_path: Path) -> None:
    model = chain(*CASES[case])
    optimised = saved(model, tmp_path / "optimised.onnx")
    if not any(node.domain == "com.microsoft.nchwc" for node in optimised.graph.node):
        pytest.skip("onnxruntime has no such layout for this processor")
    x = RNG.normal(size=CASES[case][1]).astype(np.float32)
    (expected,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    (got,) = network_of(optimised)(torch.from_numpy(x))
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-3, atol=1e-4)


def test_channels_are_filled_up_to_whole_blocks_and_taken_off_again() -> None:
    x = torch.randn(2, 5, 5, 4)
    y = reorder_input(x, channels_last=1)
    assert y.shape == (2, _block(), 5, 5)
    assert not y[:, 4:].any()
    torch.testing.assert_close(reorder_output(y, channels=4, channels_last=1), x)


def test_a_finer_grid_repeats_pixels_or_interpolates() -> None:
    x = torch.randn(1, 8, 3, 3)
    torch.testing.assert_close(nchwc_upsample(x, scales=[1, 1, 2, 3]), nn.Upsample(scale_factor=(2, 3))(x))
    expected = nn.Upsample(scale_factor=2, mode="bilinear")(x)
    half = nchwc_upsample(x, scales=[1, 1, 2, 2], mode="linear", coordinate_transformation_mode="half_pixel")
    torch.testing.assert_close(half, expected)
