"""A constant folded by a known operator can be led back to its initializer."""

from typing import Any

import numpy as np
import pytest
import torch
from onnx import NodeProto, TensorProto, helper
from onnxray.converters.operators import find
from onnxray.converters.provenance import Constant, Origin, fold_origin, folded
from torch import Tensor

GENERATOR = torch.Generator().manual_seed(0)
W = torch.randn(6, 8, generator=GENERATOR)
Q = torch.randint(-100, 100, (6, 8), generator=GENERATOR, dtype=torch.int8)


def known(tensor: Tensor, name: str = "") -> Constant:
    return Constant(tensor, Origin(name) if name else None)


def fold(node: NodeProto, *inputs: Constant | None, opset: int = 21) -> Constant:
    """Compute a node as the walk does, and ask where its value is from."""
    operator = find(node.domain, node.op_type, opset)
    assert operator is not None
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    args = [None if c is None else c.tensor for c in inputs]
    if "Ints" in operator.kind(1) and len(args) > 1 and args[1] is not None:
        args[1] = tuple(args[1].tolist())  # type: ignore[call-overload]
    return folded(node, inputs, operator.function(*args, **attributes))


def node(kind: str, count: int = 1, **attributes: Any) -> NodeProto:
    return helper.make_node(kind, [f"i{i}" for i in range(count)], ["o"], **attributes)


SCALE, ZERO = known(torch.tensor(0.05)), known(torch.tensor(3, dtype=torch.int8))
ROWS = known(torch.linspace(0.01, 0.1, 6))
BLOCKS = known(torch.rand(6, 2, generator=GENERATOR) + 0.01)
OTHER = torch.rand(8, generator=GENERATOR) + 0.5
FOLDS: dict[str, tuple[NodeProto, list[Tensor | Constant]]] = {
    "Identity": (node("Identity"), [W]),
    "Cast": (node("Cast", to=TensorProto.DOUBLE), [W]),
    "Cast from half": (node("Cast", to=TensorProto.FLOAT), [W.half()]),
    "Cast from int8": (node("Cast", to=TensorProto.FLOAT), [Q]),
    "Transpose": (node("Transpose"), [W]),
    "Transpose perm": (node("Transpose", perm=[2, 0, 1]), [W.reshape(2, 3, 8)]),
    "Reshape": (node("Reshape", 2), [W, known(torch.tensor([4, -1]))]),
    "Flatten": (node("Flatten", axis=0), [W]),
    "Unsqueeze": (node("Unsqueeze", 2), [W, known(torch.tensor([0]))]),
    "Squeeze": (node("Squeeze", 2), [W[None], known(torch.tensor([0]))]),
    "DequantizeLinear": (node("DequantizeLinear", 3), [Q, SCALE, ZERO]),
    "DequantizeLinear per axis": (node("DequantizeLinear", 2, axis=0), [Q, ROWS]),
    "DequantizeLinear in blocks": (node("DequantizeLinear", 2, axis=1, block_size=4), [Q, BLOCKS]),
    "Mul": (node("Mul", 2), [W, known(OTHER, "smaller")]),
    "Mul from the left": (node("Mul", 2), [known(OTHER), W]),
    "Div": (node("Div", 2), [W, known(OTHER)]),
    "Add": (node("Add", 2), [W, known(OTHER)]),
    "Sub": (node("Sub", 2), [W, known(OTHER)]),
    "Sub from a number": (node("Sub", 2), [known(OTHER), W]),
    "Neg": (node("Neg"), [W]),
}


@pytest.mark.parametrize("name", FOLDS)
def test_what_was_folded_can_be_undone_and_done_again(name: str) -> None:
    operator, given = FOLDS[name]
    inputs = [known(value, "w") if isinstance(value, Tensor) else value for value in given]
    weight = next(value for value in given if isinstance(value, Tensor))
    result = fold(operator, *inputs)
    assert result.origin is not None
    assert result.origin.initializer == "w"
    torch.testing.assert_close(result.origin.restore(result.tensor), weight.double(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(result.origin.derive(weight), result.tensor.double(), rtol=1e-5, atol=1e-6)
    assert result.entangled == ({"smaller"} if name == "Mul" else set())


def test_steps_are_undone_last_first() -> None:
    value = fold(node("DequantizeLinear", 2, axis=0), known(Q, "w"), ROWS)
    value = fold(node("Transpose"), value)
    value = fold(node("Mul", 2), value, known(torch.tensor(0.5)))
    assert value.origin is not None
    assert value.origin.restore(value.tensor).equal(Q.double())


def test_quantised_weights_are_undone_up_to_the_rounding() -> None:
    result = fold(node("QuantizeLinear", 3), known(W, "w"), SCALE, ZERO)
    assert result.origin is not None
    restored = result.origin.restore(result.tensor)
    assert (restored - W.double()).abs().max() <= 0.025 + 1e-6
    torch.testing.assert_close(result.origin.derive(restored), result.tensor.double())


@pytest.mark.parametrize(
    ("operator", "inputs"),
    [
        (node("Concat", 2, axis=0), [known(W, "v"), known(W, "w")]),
        (node("Relu"), [known(W, "w")]),
        (node("Mul", 2), [known(W, "w"), known(torch.zeros(8))]),
        (node("Mul", 2), [known(W, "w"), known(W, "w")]),
        (node("Mul", 2), [known(W[:1], "w"), known(W)]),
        (node("Cast", to=TensorProto.INT8), [known(W, "w")]),
        (node("DequantizeLinear", 2), [known(Q, "w"), known(torch.tensor(0.0))]),
        (node("Neg"), [known(W)]),
    ],
    ids=lambda value: value.op_type if isinstance(value, NodeProto) else "",
)
def test_what_loses_values_has_no_origin(operator: NodeProto, inputs: list[Constant]) -> None:
    result = fold(operator, *inputs)
    assert result.origin is None
    assert result.entangled == {c.origin.initializer for c in inputs if c.origin}


def test_operators_of_other_domains_are_not_guessed() -> None:
    foreign = helper.make_node("Transpose", ["a"], ["b"], domain="com.example")
    assert fold_origin(foreign, [known(W, "w")], W.T) is None


def test_a_constant_node_is_a_weight_under_its_outputs_name() -> None:
    value = helper.make_tensor("ignored", TensorProto.FLOAT, [1], [1.0])
    assert fold_origin(helper.make_node("Constant", [], ["k"], value=value), [], torch.ones(1)) == Origin("k")
    assert fold_origin(helper.make_node("Constant", [], ["k"], value_float=1.0), [], torch.ones(1)) is None


def test_a_shape_does_not_entangle() -> None:
    assert folded(node("Shape"), [known(W, "w")], torch.tensor([6, 8])).entangled == frozenset()


def test_numbers_come_back_in_float64() -> None:
    assert Origin("w").restore(W.half()).dtype == torch.float64
    np.testing.assert_array_equal(Origin("w").restore(Q).numpy(), Q.numpy())
