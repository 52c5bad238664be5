"""Casts against onnxruntime, carried bytes and their gradient, constants and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from onnxray.converters.operators import casting
from onnxray.converters.to_torch import network_of
from onnxray.converters.walk import Unsupported

REALS = np.array([0.9, -0.9, 1.5, -1.5, 255.9, 256.5, 300, -1, -200, 128, -129, 70000, 0, -0.0], np.float32)


@pytest.mark.parametrize("kind", ["UINT8", "INT8", "INT16", "UINT16", "INT32", "INT64", "BOOL", "DOUBLE", "FLOAT16"])
@pytest.mark.parametrize("opset", [9, 13, 19])
def test_reals_are_cast_as_onnxruntime_casts_them(agree: Any, kind: str, opset: int) -> None:
    reals = np.clip(REALS, -2e4, 2e4) if kind in ("INT16", "UINT16") else REALS
    agree(f"y = Cast<to = {TensorProto.DataType.Value(kind)}>(a)", reals, opset=opset)


@pytest.mark.parametrize("kind", ["UINT8", "INT8", "INT16", "UINT16", "UINT32", "FLOAT", "BOOL"])
def test_whole_numbers_lose_their_upper_bits(agree: Any, kind: str) -> None:
    (y,) = agree(
        f"y = Cast<to = {TensorProto.DataType.Value(kind)}>(a)",
        np.array([0, 5, 127, 128, 255, 256, 65537, -1], np.int64),
    )
    assert y.dtype.is_floating_point == (kind == "FLOAT")


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.INT8])
def test_bytes_stay_real_and_pass_the_gradient(kind: int) -> None:
    x = torch.tensor([1.5, -1.5, 300, torch.nan], requires_grad=True)
    y = casting.cast(x, to=kind)
    (3 * y).sum().backward()  # type: ignore[no-untyped-call]
    assert y.dtype == torch.float32
    assert y.tolist() == ([1, 255, 44, 0] if kind == TensorProto.UINT8 else [1, -1, 44, 0])
    assert x.grad is not None
    assert x.grad.tolist() == [3, 3, 3, 3]


def test_wider_whole_numbers_are_whole() -> None:
    x = torch.tensor([1.7, -1.7])
    assert casting.cast(x, to=TensorProto.INT32).tolist() == [1, -1]
    assert casting.cast(x, to=TensorProto.INT64).dtype == torch.int64


def test_the_type_of_another_tensor(agree: Any) -> None:
    agree("y = CastLike(a, b)", REALS, np.array([1], np.uint8), opset=19)
    (y,) = agree("y = CastLike(a, b)", REALS, np.array([1], np.int32), opset=15)
    assert y.dtype == torch.int32
    assert casting.cast_like(torch.tensor([70000.0]), torch.zeros(1, dtype=torch.int16)).dtype == torch.int16


def test_opset_1_names_the_type(compute: Any) -> None:
    assert compute('y = Cast<to = "INT64">(a)', np.array([1.5], np.float32), opset=1)[0].tolist() == [1]
    with pytest.raises(NotImplementedError, match="'NUMBER'"):
        casting.cast_1(torch.zeros(1), to="NUMBER")


def test_powers_of_two_round_as_asked() -> None:
    x, kind = torch.tensor([0.0, 1, 1.4, 1.5, 3, torch.inf]), 24
    for mode, expected in (("up", [1, 2, 2, 4]), ("down", [1, 1, 1, 2]), ("nearest", [1, 1, 2, 4])):
        y = casting.cast(x, to=kind, round_mode=mode).float()
        assert y.tolist() == [2.0**-127, *expected, 2.0**127]
        assert casting.cast(x, to=kind, saturate=0, round_mode=mode).float()[[0, 5]].isnan().all()
    with pytest.raises(NotImplementedError, match="'odd'"):
        casting.cast(x, to=kind, round_mode="odd")


def test_small_floats_saturate_unless_told_not_to() -> None:
    x = torch.tensor([464.0, 465, torch.inf])
    assert casting.cast(x, to=TensorProto.FLOAT8E4M3FN).float().tolist() == [448, 448, 448]
    free = casting.cast(x, to=TensorProto.FLOAT8E4M3FN, saturate=0).float()
    assert free[0] == 448
    assert free[1:].isnan().all()


@pytest.mark.parametrize("opset", [7, 16])
def test_identity(agree: Any, opset: int) -> None:
    agree("y = Identity(a)", REALS, opset=opset)


def test_bits_are_read_as_another_type(compute: Any) -> None:
    floats = np.array([1.5, -2, 0], np.float32)
    for array, kind in ((floats, np.int32), (floats, np.uint32), (np.array([1, 65535], np.uint16), np.int16)):
        node = f"y = BitCast<to = {helper.np_dtype_to_tensor_dtype(np.dtype(kind))}>(a)"
        assert compute(node, array, opset=26)[0].tolist() == array.view(kind).tolist()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("value_int = 3", torch.tensor(3)), ("value_ints = [1, 2]", torch.tensor([1, 2])),
        ("value_float = 0.5", torch.tensor(0.5)), ("value_floats = [0.5, 1.0]", torch.tensor([0.5, 1])),
        ("value = float[2] {0.5, 1.0}", torch.tensor([0.5, 1])),
    ],
)  # fmt: skip
def test_constants(compute: Any, value: str, expected: torch.Tensor) -> None:
    (y,) = compute(f"y = Constant<{value}>()", opset=13)
    assert y.dtype == expected.dtype
    assert torch.equal(y, expected)


def test_text_is_refused() -> None:
    node = onnx.parser.parse_node('y = Constant<value_string = "a">()')
    graph = helper.make_graph([node], "one", [], [onnx.ValueInfoProto(name="y")])
    with pytest.raises(Unsupported, match="value_string"):
        network_of(helper.make_model(graph))
    with pytest.raises(NotImplementedError, match="string"):
        casting.cast(torch.zeros(1), to=TensorProto.STRING)
