"""Models of a single node, run by onnxruntime and by the twin's network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from onnx import ModelProto, ValueInfoProto, helper, numpy_helper
from onnxray.converters.dtypes import tensor_of
from onnxray.converters.to_torch import network_of

Array = NDArray[Any]
Agree = Callable[..., tuple[torch.Tensor, ...]]
Compute = Callable[..., tuple[torch.Tensor, ...]]


def _model(node: str, arrays: Sequence[Array], opset: int, constants: str) -> ModelProto:
    """A model of one node in ONNX's text form, whose inputs are a, b, c, ...; those in `constants` are initializers."""
    parsed = onnx.parser.parse_node(node)
    named = list(zip("abcdefgh", arrays, strict=False))
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in named
        if name not in constants
    ]
    outputs = [ValueInfoProto(name=name) for name in parsed.output]
    weights = [numpy_helper.from_array(array, name) for name, array in named if name in constants]
    graph = helper.make_graph([parsed], "one", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8 if opset < 21 else 10)


def _feed(arrays: Sequence[Array], constants: str) -> dict[str, Array]:
    return {name: array for name, array in zip("abcdefgh", arrays, strict=False) if name not in constants}


@pytest.fixture
def compute() -> Compute:
    """Return ``compute(node, *arrays, opset=17, constants="")``: what the network of a single node gives."""

    def run(node: str, *arrays: Array, opset: int = 17, constants: str = "") -> tuple[torch.Tensor, ...]:
        network = network_of(_model(node, arrays, opset, constants))
        feed = _feed(arrays, constants).values()
        values: tuple[torch.Tensor, ...] = network(*[tensor_of(numpy_helper.from_array(a)) for a in feed])
        return values

    return run


@pytest.fixture
def agree(compute: Compute) -> Agree:
    """Return ``agree(node, *arrays, opset=17, constants="", rtol=1e-5)``: the same, held against onnxruntime."""

    def check(
        node: str, *arrays: Array, opset: int = 17, constants: str = "", rtol: float = 1e-5
    ) -> tuple[torch.Tensor, ...]:
        options = ort.SessionOptions()
        options.log_severity_level = 3
        data = _model(node, arrays, opset, constants).SerializeToString()
        session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        expected = session.run(None, _feed(arrays, constants))
        got = compute(node, *arrays, opset=opset, constants=constants)
        for value, want in zip(got, expected, strict=False):
            assert tuple(value.shape) == want.shape
            np.testing.assert_allclose(value.double().numpy(), want.astype(np.float64), rtol=rtol, atol=rtol)
        return got

    return check


@pytest.fixture
def same(agree: Agree) -> Agree:
    """Return ``same(operator, *inputs, opset=17, outputs=1, rtol=1e-5, **attributes)``.

    As `agree`, twice: the inputs behind the first are constants, then fed. None stands for an input that is left out.
    """

    def check(
        operator: str, *inputs: Array | None, opset: int = 17, outputs: int = 1, rtol: float = 1e-5, **attributes: Any
    ) -> tuple[torch.Tensor, ...]:
        arrays = [np.asarray(value) for value in inputs if value is not None]
        letters = iter("abcdefgh")
        names = ", ".join("" if value is None else next(letters) for value in inputs)
        results = ", ".join(f"y{i}" for i in range(outputs))
        settings = ", ".join(f"{name} = {_written(value)}" for name, value in attributes.items())
        node = f"{results} = {operator}{f'<{settings}>' if settings else ''}({names})"
        agree(node, *arrays, opset=opset, constants="bcdefgh", rtol=rtol)
        return agree(node, *arrays, opset=opset, rtol=rtol)

    return check


def _written(value: Any) -> str:
    """An attribute's value in ONNX's text form."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, np.ndarray):  # a tensor, of a type with one name in numpy and in ONNX's text form
        return f"{value.dtype}[{value.size}] {{{', '.join(map(str, value.ravel()))}}}"
    return f'"{value}"' if isinstance(value, str) else str(value)
