"""Withdrawn operators against onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

X = np.random.default_rng(1).standard_normal((2, 3, 5, 6)).astype(np.float32)


@pytest.mark.parametrize(
    "node",
    [
        "Affine<alpha = 2.0, beta = 1.0>", "Scale<scale = 2.0>", "ImageScaler<bias = [1.0, 2.0, 3.0], scale = 0.5>",
        "ParametricSoftplus<alpha = 2.0, beta = 1.5>", "ScaledTanh<alpha = 2.0, beta = 0.5>",
        "Crop<border = [1, 2, 0, 1]>", "Crop<border = [1, 2, 0, 1], scale = [2, 3]>",
    ],
)  # fmt: skip
@pytest.mark.parametrize("opset", [7, 9])
def test_they_do_as_onnxruntime_does(agree: Any, node: str, opset: int) -> None:
    agree(f"y = {node}(a)", X, opset=opset)
