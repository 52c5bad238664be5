"""Normalisation and Dropout: old versions against onnxruntime, statistics that are computed, refusals, gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from onnxray.converters.operators import local_normalization, normalization

RNG = np.random.default_rng(1)
X = RNG.standard_normal((2, 6, 4, 5)).astype(np.float32)
SCALE, BIAS, MEAN, VAR = (np.array(RNG.random(6) + 0.5, np.float32) for _ in range(4))


@pytest.mark.parametrize("opset", [7, 9, 14, 15])
@pytest.mark.parametrize("constants", ["", "bcde"])
def test_given_statistics(agree: Any, opset: int, constants: str) -> None:
    agree(
        "y = BatchNormalization<epsilon = 0.01>(a, b, c, d, e)",
        X,
        SCALE,
        BIAS,
        MEAN,
        VAR,
        opset=opset,
        constants=constants,
    )
    agree("y = BatchNormalization(a, b, c, d, e)", X[:, :, 0, 0], SCALE, BIAS, MEAN, VAR, opset=opset)


def test_statistics_of_every_value(compute: Any) -> None:
    given = [np.array(RNG.random((6, 4, 5)) + 0.5, np.float32) for _ in range(4)]
    (y,) = compute("y = BatchNormalization<spatial = 0>(a, b, c, d, e)", X, *given, opset=7)
    scale, bias, mean, var = given
    np.testing.assert_allclose(y.numpy(), (X - mean) / np.sqrt(var + 1e-5) * scale + bias, rtol=1e-4, atol=1e-5)


def test_a_single_channel_without_an_axis(compute: Any) -> None:
    one = np.array([2], np.float32)
    (y,) = compute("y = BatchNormalization(a, b, b, b, b)", np.array([1, 2, 3], np.float32), one, opset=15)
    np.testing.assert_allclose(y.numpy(), (np.array([1, 2, 3], np.float32) - 2) / np.sqrt(2) * 2 + 2, rtol=1e-5)


def test_old_attributes_for_inference_are_taken(compute: Any) -> None:
    node = "y = BatchNormalization<is_test = 1, consumed_inputs = [0, 0, 0, 1, 1]>(a, b, c, d, e)"
    (y,) = compute(node, X, SCALE, BIAS, MEAN, VAR, opset=1)
    (new,) = compute("y = BatchNormalization(a, b, c, d, e)", X, SCALE, BIAS, MEAN, VAR, opset=15)
    assert torch.equal(y, new)


def test_training_before_opset_14_is_refused(compute: Any) -> None:
    with pytest.raises(NotImplementedError, match="opset 14"):
        compute("y, m, v, s, t = BatchNormalization(a, b, c, d, e)", X, SCALE, BIAS, MEAN, VAR, opset=9)


def test_statistics_of_the_batch(compute: Any) -> None:
    node = "y, m, v = BatchNormalization<training_mode = 1, momentum = 0.75>(a, b, c, d, e)"
    y, mean, var = compute(node, X, SCALE, BIAS, MEAN, VAR, opset=15)
    np.testing.assert_allclose(mean.numpy(), 0.75 * MEAN + 0.25 * X.mean((0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(var.numpy(), 0.75 * VAR + 0.25 * X.var((0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(y.mean((0, 2, 3)).numpy(), BIAS, rtol=1e-4)


def test_computed_statistics_pass_their_gradient() -> None:
    x = torch.rand(2, 3, 4, dtype=torch.double, requires_grad=True)
    ones = torch.ones(3, dtype=torch.double)

    def own(x: torch.Tensor) -> torch.Tensor:
        return normalization.batch_normalization(x, ones, ones, x.mean((0, 2)), x.var((0, 2)))[0]

    assert torch.autograd.gradcheck(own, (x,))


@pytest.mark.parametrize("opset", [7, 22])
@pytest.mark.parametrize("shape", [(2, 6, 4, 5), (2, 6, 7), (2, 6, 1)])
def test_instances(agree: Any, opset: int, shape: tuple[int, ...]) -> None:
    x = RNG.standard_normal(shape).astype(np.float32)
    agree("y = InstanceNormalization<epsilon = 0.001>(a, b, c)", x, SCALE, BIAS, opset=opset, rtol=1e-4)


@pytest.mark.parametrize(("opset", "parameters"), [(18, 3), (21, 6)])
def test_groups_scale_by_group_and_later_by_channel(agree: Any, opset: int, parameters: int) -> None:
    node = "y = GroupNormalization<num_groups = 3>(a, b, c)"
    agree(node, X, SCALE[:parameters], BIAS[:parameters], opset=opset, rtol=1e-4)


@pytest.mark.parametrize("outputs", ["y", "y, m, s"])
@pytest.mark.parametrize(("axis", "shape"), [(-1, (5,)), (2, (4, 5)), (1, (6, 4, 5)), (2, (1, 5)), (1, (5,))])
def test_layers(agree: Any, outputs: str, axis: int, shape: tuple[int, ...]) -> None:
    scale, bias = np.array(RNG.random(shape), np.float32), np.array(RNG.random(shape), np.float32)
    agree(f"{outputs} = LayerNormalization<axis = {axis}>(a, b, c)", X, scale, bias, rtol=1e-4)
    agree(f"{outputs} = LayerNormalization<axis = {axis}>(a, b)", X, scale, rtol=1e-4)


@pytest.mark.parametrize("shape", [(5,), (1,), (4, 5)])
def test_root_mean_squares(compute: Any, shape: tuple[int, ...]) -> None:
    scale = np.array(RNG.random(shape), np.float32)
    (y,) = compute("y = RMSNormalization<epsilon = 0.01>(a, b)", X, scale, opset=23)
    np.testing.assert_allclose(y.numpy(), X / np.sqrt((X**2).mean(-1, keepdims=True) + 0.01) * scale, rtol=1e-4)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_neighbouring_channels(agree: Any, size: int) -> None:
    if size % 2:  # onnxruntime has no even sizes
        agree(f"y = LRN<size = {size}, alpha = 0.5, beta = 0.6, bias = 1.5>(a)", X)
    y = local_normalization.local_response_normalization(torch.from_numpy(X), size=size, alpha=0.5)
    squares = np.pad(X**2, ((0, 0), ((size - 1) // 2, size // 2), (0, 0), (0, 0)))
    total = np.sum([squares[:, i : i + 6] for i in range(size)], axis=0)
    np.testing.assert_allclose(y.numpy(), X / (1 + 0.5 / size * total) ** 0.75, rtol=1e-5)


@pytest.mark.parametrize("p", [1, 2])
def test_norms(agree: Any, p: int) -> None:
    agree(f"y = LpNormalization<p = {p}, axis = 1>(a)", X)
    zeros = torch.zeros(2, 3, requires_grad=True)
    y = local_normalization.lp_normalization(zeros, p=p)
    y.sum().backward()  # type: ignore[no-untyped-call]
    assert not y.any()
    assert zeros.grad is not None
    assert zeros.grad.isfinite().all()


def test_means_and_variances(agree: Any) -> None:
    agree("y = MeanVarianceNormalization(a)", X, opset=13, rtol=1e-4)
    agree("y = MeanVarianceNormalization<axes = [1, 2]>(a)", X, opset=9, rtol=1e-4)
    for across in (0, 1):
        for variance in (0, 1):
            attributes = f"across_channels = {across}, normalize_variance = {variance}"
            agree(f"y = MeanVarianceNormalization<{attributes}>(a)", X[:1], opset=8, rtol=1e-4)
    constant = torch.ones(1, 2, 3, 3, requires_grad=True)
    normalization.mean_variance_normalization(constant).sum().backward()  # type: ignore[no-untyped-call]
    assert constant.grad is not None
    assert constant.grad.isfinite().all()


@pytest.mark.parametrize("opset", [7, 10])
def test_dropout_does_nothing(agree: Any, opset: int) -> None:
    agree("y = Dropout<ratio = 0.9>(a)", X, opset=opset)


def test_dropout_has_a_mask(agree: Any, compute: Any) -> None:
    y, mask = agree("y, m = Dropout(a, b)", X, np.asarray(np.float32(0.3)), opset=13)
    assert mask.all()
    assert mask.dtype == torch.bool
    assert compute("y, m = Dropout<is_test = 1>(a)", X, opset=6)[1].dtype == y.dtype


@pytest.mark.parametrize("constants", ["", "bc"])
def test_dropout_in_training_is_refused_unless_it_drops_nothing(compute: Any, constants: str) -> None:
    on = np.asarray(True)
    with pytest.raises(NotImplementedError, match="training"):
        compute("y = Dropout(a, b, c)", X, np.asarray(np.float32(0.3)), on, opset=13, constants=constants)
    with pytest.raises(NotImplementedError, match="training"):
        compute("y = Dropout(a, , b)", X, on, opset=13)
    with pytest.raises(NotImplementedError, match="training"):
        compute("y = Dropout(a)", X, opset=6)
    compute("y = Dropout(a, b, c)", X, np.asarray(np.float32(0)), on, opset=13, constants=constants)


def test_gradients_are_those_of_finite_differences() -> None:
    x = torch.rand(2, 4, 3, dtype=torch.double, requires_grad=True)
    scale = torch.rand(4, dtype=torch.double)
    for function in (
        lambda x: normalization.instance_normalization(x, scale, scale),
        lambda x: normalization.group_normalization_18(x, scale[:2], scale[:2], num_groups=2),
        lambda x: normalization.layer_normalization(x, scale[:3], _outputs=3),
        lambda x: normalization.rms_normalization(x, scale[:3]),
        lambda x: local_normalization.local_response_normalization(x, size=2, alpha=0.5),
        lambda x: local_normalization.lp_normalization(x, p=2),
        lambda x: normalization.mean_variance_normalization(x, axes=(0, 2)),
    ):
        assert torch.autograd.gradcheck(function, (x,))
