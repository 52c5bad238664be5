"""ONNX's element types and tensors in torch."""

from __future__ import annotations

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

__all__ = ["tensor_of", "torch_dtype"]

_TYPES: dict[int, torch.dtype] = {
    TensorProto.FLOAT: torch.float32,
    TensorProto.DOUBLE: torch.float64,
    TensorProto.FLOAT16: torch.float16,
    TensorProto.BFLOAT16: torch.bfloat16,
    TensorProto.INT8: torch.int8,
    TensorProto.INT16: torch.int16,
    TensorProto.INT32: torch.int32,
    TensorProto.INT64: torch.int64,
    TensorProto.UINT8: torch.uint8,
    TensorProto.BOOL: torch.bool,
    # torch has these types and hardly an operator for them: the next larger signed one holds the same values.
    TensorProto.UINT16: torch.int32,
    TensorProto.UINT32: torch.int64,
    TensorProto.UINT64: torch.int64,
    TensorProto.INT4: torch.int8,
    TensorProto.UINT4: torch.uint8,
    25: torch.uint8,  # UINT2 and INT2, which not every supported onnx knows by name
    26: torch.int8,
    TensorProto.FLOAT4E2M1: torch.float32,
    TensorProto.COMPLEX64: torch.complex64,
    TensorProto.COMPLEX128: torch.complex128,
    TensorProto.FLOAT8E4M3FN: torch.float8_e4m3fn,
    TensorProto.FLOAT8E4M3FNUZ: torch.float8_e4m3fnuz,
    TensorProto.FLOAT8E5M2: torch.float8_e5m2,
    TensorProto.FLOAT8E5M2FNUZ: torch.float8_e5m2fnuz,
    24: torch.float8_e8m0fnu,  # FLOAT8E8M0, likewise
}
_SMALL_FLOATS = (
    "bfloat16", "float4_e2m1fn", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu",
)  # fmt: skip


def torch_dtype(kind: int) -> torch.dtype:
    """The torch type that holds a TensorProto.DataType's values.

    Raises:
        NotImplementedError: text, and types that torch does not have.
    """
    if kind not in _TYPES:
        known = kind in TensorProto.DataType.values()
        raise NotImplementedError(f"values of type {TensorProto.DataType.Name(kind).lower() if known else kind}")
    return _TYPES[kind]


def tensor_of(proto: TensorProto) -> Tensor:
    """A constant as a tensor of its own memory.

    Raises:
        NotImplementedError: its type has no tensor in torch.
    """
    dtype = torch_dtype(proto.data_type)
    array = numpy_helper.to_array(proto)
    if array.dtype.name in _SMALL_FLOATS:  # numpy's extension types: torch takes their values by way of float32
        return torch.from_numpy(array.astype(np.float32)).to(dtype)
    if helper.tensor_dtype_to_np_dtype(proto.data_type).kind not in "fiubc":  # int4 and its like
        array = array.astype(np.int8)
    elif array.dtype.kind == "u" and array.dtype.itemsize > 1:
        array = array.astype(np.int64)
    return torch.from_numpy(np.array(array)).to(dtype)
