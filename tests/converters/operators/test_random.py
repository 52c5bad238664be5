"""Random operators: refused while converting, unless nothing is random about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnxray.converters.walk import Unsupported

X = np.array([[0.2, 0.8]], np.float32)


@pytest.mark.parametrize(
    "node",
    [
        "y = RandomNormal<shape=[2]>()",
        "y = RandomUniform<shape=[2]>()",
        "y = RandomNormalLike(a)",
        "y = RandomUniformLike(a)",
        "y = Bernoulli(a)",
        "y = Multinomial(a)",
    ],
)
def test_refused(compute: Callable[..., Any], node: str) -> None:
    with pytest.raises(Unsupported, match="random: the original answers differently each time"):
        compute(node, *([X] if "(a)" in node else []))


def test_constants(compute: Callable[..., Any]) -> None:
    (normal,) = compute("y = RandomNormal<shape=[2, 3], mean=1.5, scale=0.0>()")
    (uniform,) = compute("y = RandomUniformLike<low=2.0, high=2.0>(a)", X)
    assert normal.tolist() == [[1.5] * 3] * 2
    assert uniform.tolist() == [[2.0, 2.0]]
