"""Where a twin can be cut, and that its rear answers as the whole does."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from onnxray.converters import open_model
from onnxray.converters.halves import Rear, passages
from onnxray.converters.twin import Twin

Build = Callable[..., Path]
X = np.random.default_rng(0).random((5, 1, 4, 4), dtype=np.float32)
HEAD = "p = Relu(a)  y = MatMul(p, w)"
W = {"v": (16, 6), "w": (6, 3)}


def twin_of(path: Path) -> Twin:
    model = open_model(path)
    model.build_twin(X)
    assert isinstance(model.torch, Twin)
    return model.torch


def graph(body: str, batch: str = "N") -> str:
    return f"(float[{batch},1,4,4] x) => (float[{batch},3] y) {{ {body} }}"


def agree(twin: Twin, tensor: str) -> None:
    inputs = torch.from_numpy(X)
    (values,) = twin.observe([tensor])(inputs)
    torch.testing.assert_close(Rear(twin, tensor, inputs)(values), twin(inputs))


def test_a_chain_can_be_cut_everywhere(build: Build) -> None:
    twin = twin_of(build(graph(f"f = Flatten(x)  a = MatMul(f, v)  {HEAD}"), **W))
    found = passages(twin)
    assert [p.tensor for p in found] == ["f", "a", "p", "y"]
    assert [p.operator for p in found] == ["Flatten", "MatMul", "Relu", "MatMul"]
    assert [p.depth for p in found] == [0, 0.5, 0.5, 1]
    for p in found[:3]:
        agree(twin, p.tensor)


def test_no_cut_inside_what_a_shortcut_goes_around(build: Build) -> None:
    twin = twin_of(
        build(
            graph(f"f = Flatten(x)  b = MatMul(f, v)  r = Relu(b)  s = MatMul(r, u)  a = Add(b, s)  {HEAD}"),
            **W,
            u=(6, 6),
        )
    )
    assert [p.tensor for p in passages(twin)] == ["f", "b", "a", "p", "y"]
    agree(twin, "b")
    agree(twin, "a")


def test_the_input_that_goes_around_everything_leaves_no_cut(build: Build) -> None:
    twin = twin_of(
        build(graph("f = Flatten(x)  b = MatMul(f, v)  p = Relu(b)  a = MatMul(p, w)  d = MatMul(f, u)  y = Add(a, d)"),
              **W, u=(16, 3))
    )  # fmt: skip
    assert [p.tensor for p in passages(twin)] == ["f", "y"]


def test_a_shape_that_goes_around_is_no_way_for_values(build: Build) -> None:
    """The exporters' Flatten: its target shape is put together from the input's."""
    body = (
        "s = Shape(x)  n = Gather(s, zero)  q = Concat<axis = 0>(n, rest)  g = Abs(x)  f = Reshape(g, q)  "
        f"a = MatMul(f, v)  {HEAD}"
    )
    shapes = {"zero": np.array([0]), "rest": np.array([16])}
    twin = twin_of(build(graph(body), **W, **shapes))
    assert {"g", "f", "a", "p"} <= {p.tensor for p in passages(twin)}
    agree(twin, "g")
    agree(twin, "a")


def test_a_batch_of_one_size_is_kept_to(build: Build) -> None:
    twin = twin_of(build(graph(f"f = Reshape(x, to)  a = MatMul(f, v)  {HEAD}", "2"), **W, to=np.array([2, 16])))
    agree(twin, "p")


def test_gradients_come_back(build: Build) -> None:
    twin = twin_of(build(graph(f"f = Flatten(x)  a = MatMul(f, v)  {HEAD}"), **W))
    values = torch.rand(4, 6).requires_grad_()
    (gradient,) = torch.autograd.grad(Rear(twin, "p", torch.from_numpy(X))(values).sum(), values)
    assert gradient.abs().sum() > 0


def test_what_is_no_activation_is_refused(build: Build) -> None:
    twin = twin_of(build(graph(f"f = Flatten(x)  a = MatMul(f, v)  {HEAD}"), **W))
    with pytest.raises(KeyError):
        Rear(twin, "w", torch.from_numpy(X))
