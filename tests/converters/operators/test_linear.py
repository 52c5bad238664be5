"""Gemm, MatMul, Einsum and Det."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from onnxray.converters.operators.linear import det, einsum, gemm, matmul
from torch import Tensor

Same = Callable[..., tuple[Tensor, ...]]


def draw(*shape: int) -> NDArray[Any]:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("opset", [7, 9, 11, 13])
@pytest.mark.parametrize("shape", [(4,), (1, 4), (2, 1), (2, 4), ()])
@pytest.mark.parametrize("scale", [{}, {"alpha": 0.5, "beta": 2.0}])
def test_gemm(same: Same, opset: int, shape: tuple[int, ...], scale: dict[str, float]) -> None:
    same("Gemm", draw(2, 3), draw(3, 4), draw(*shape), opset=opset, **scale)
    same("Gemm", draw(2, 3), draw(4, 3), draw(*shape), opset=opset, transB=1, **scale)
    same("Gemm", draw(3, 2), draw(3, 4), draw(*shape), opset=opset, transA=1, **scale)


def test_gemm_without_c(same: Same) -> None:
    same("Gemm", draw(2, 3), draw(3, 4), opset=11, alpha=0.25)


def test_old_gemm_broadcasts_by_an_attribute(compute: Callable[..., tuple[Tensor, ...]]) -> None:
    a, b, c = draw(2, 3), draw(3, 4), draw(4)
    for opset in (1, 6):
        (y,) = compute("y = Gemm<broadcast = 1>(a, b, c)", a, b, c, opset=opset)
        np.testing.assert_allclose(y.numpy(), a @ b + c, rtol=1e-5)


def test_gemm_of_whole_numbers() -> None:
    a, b, c = (torch.arange(n).reshape(s) for n, s in ((6, (2, 3)), (12, (3, 4)), (4, (4,))))
    assert torch.equal(gemm(a, b, c, alpha=2.0, beta=3.0), 2 * (a @ b) + 3 * c)


@pytest.mark.parametrize("kind", [np.int32, np.int64, np.uint32, np.uint64, np.float64])
@pytest.mark.parametrize("shapes", [((2, 2, 3), (3, 4)), ((3,), (2, 3, 4)), ((2, 3), (3,)), ((2, 1, 2, 3), (4, 3, 2))])
def test_matmul(same: Same, kind: type, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    same("MatMul", *[np.random.default_rng(0).integers(0, 9, shape).astype(kind) for shape in shapes], opset=13)


def test_matmul_of_floats_with_whole_values() -> None:
    a, b = torch.ones(2, 3), torch.ones(3, 2, dtype=torch.int32)
    assert matmul(a, b).tolist() == [[3.0, 3.0], [3.0, 3.0]]
    assert einsum(a, b, equation="ij,jk->ik").tolist() == [[3.0, 3.0], [3.0, 3.0]]


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("...ij,...jk->...ik", ((2, 3, 4), (2, 4, 5))),
        (" ij , jk ", ((2, 3), (3, 4))),
        ("...ii->...i", ((2, 3, 3),)),
        ("bA,cA->Abc", ((2, 3), (4, 3))),
        ("ba", ((2, 3),)),
        ("i...->...", ((2, 3),)),
        ("...,...->...", ((2, 3), (1, 3))),
        ("bhwc,hkc->bhwk", ((2, 3, 4, 5), (3, 4, 5))),
        ("a,b,c->abc", ((2,), (3,), (4,))),
    ],
)
def test_einsum(same: Same, equation: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    same("Einsum", *[draw(*shape) for shape in shapes], opset=12, equation=equation)


@pytest.mark.parametrize("shape", [(3, 3), (2, 4, 2, 2)])
def test_det(same: Same, shape: tuple[int, ...]) -> None:
    same("Det", draw(*shape), opset=11)


def test_gradients() -> None:
    a, b, c = (torch.from_numpy(draw(*s)).double().requires_grad_() for s in ((2, 3), (4, 3), (4,)))
    assert torch.autograd.gradcheck(lambda *v: gemm(*v, transB=1, alpha=0.5), (a, b, c))
    assert torch.autograd.gradcheck(lambda *v: matmul(v[0], v[1].t()), (a, b))
    assert torch.autograd.gradcheck(lambda v: det(v @ v.t()), (a,))
