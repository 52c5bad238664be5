"""RNN, GRU and LSTM beyond the node tests: every direction, activation and opset against onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from onnxray.converters.operators.recurrent import gru, lstm, rnn

STEPS, BATCH, FEATURES, HIDDEN = 4, 3, 2, 3
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
PER_DIRECTION = {"RNN": 1, "GRU": 2, "LSTM": 3}
Same = Callable[..., Any]


def inputs(
    operator: str, direction: str, with_state: bool = False, lengths: bool = False, peepholes: bool = False
) -> Any:
    rng = np.random.default_rng(0)
    directions, gates = 1 + (direction == "bidirectional"), GATES[operator]

    def draw(*shape: int) -> Any:
        return np.float32(0.5 * rng.standard_normal(shape))

    values: list[Any] = [draw(STEPS, BATCH, FEATURES), draw(directions, gates * HIDDEN, FEATURES)]
    values += [draw(directions, gates * HIDDEN, HIDDEN), draw(directions, 2 * gates * HIDDEN)]
    values.append(np.array([4, 1, 3], np.int32) if lengths else None)
    state = [draw(directions, BATCH, HIDDEN) if with_state else None]
    values += state * (2 if operator == "LSTM" else 1)
    if peepholes:
        values.append(draw(directions, 3 * HIDDEN))
    while values[-1] is None:
        values.pop()
    return values


def outputs(operator: str) -> int:
    return 3 if operator == "LSTM" else 2


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("operator", list(GATES))
@pytest.mark.parametrize(
    "options", [{}, {"with_state": True}, {"lengths": True}, {"with_state": True, "lengths": True}]
)
def test_directions_states_and_lengths(same: Same, operator: str, direction: str, options: dict[str, bool]) -> None:
    values = inputs(operator, direction, **options)
    for opset in (7, 14):
        same(operator, *values, opset=opset, outputs=outputs(operator), hidden_size=HIDDEN, direction=direction)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(
    ("operator", "attributes"),
    [
        ("RNN", {"clip": 0.3}),
        ("GRU", {"clip": 0.3}),
        ("GRU", {"linear_before_reset": 1}),
        ("LSTM", {"clip": 0.3}),
        ("LSTM", {"input_forget": 1}),
    ],
)
def test_variants(same: Same, operator: str, direction: str, attributes: dict[str, Any]) -> None:
    same(
        operator, *inputs(operator, direction), outputs=outputs(operator),
        hidden_size=HIDDEN, direction=direction, **attributes,
    )  # fmt: skip


def test_peepholes(same: Same) -> None:
    values = inputs("LSTM", "bidirectional", with_state=True, lengths=True, peepholes=True)
    same("LSTM", *values, outputs=3, hidden_size=HIDDEN, direction="bidirectional")


@pytest.mark.parametrize("name", ["Relu", "Affine", "LeakyRelu", "ScaledTanh", "HardSigmoid", "Elu", "Softsign"])
@pytest.mark.parametrize("operator", list(GATES))
def test_activations_take_their_parameters_in_turn(same: Same, operator: str, name: str) -> None:
    count = 2 * PER_DIRECTION[operator]
    same(
        operator, *inputs(operator, "bidirectional"), outputs=outputs(operator), rtol=1e-4,
        hidden_size=HIDDEN, direction="bidirectional", activations=[name] * count,
        activation_alpha=[0.2 + 0.05 * i for i in range(count)], activation_beta=[0.1 + 0.05 * i for i in range(count)],
    )  # fmt: skip


def test_an_activation_without_an_agreed_default_is_refused() -> None:
    x, w, r = (torch.zeros(shape) for shape in ((1, 1, 1), (1, 1, 1), (1, 1, 1)))
    with pytest.raises(NotImplementedError, match="affine without alpha"):
        rnn(x, w, r, activations=("Affine",))
    with pytest.raises(NotImplementedError, match="activation swish"):
        rnn(x, w, r, activations=("Swish",))


def test_batch_first_is_the_same_turned_round() -> None:
    arrays = inputs("LSTM", "bidirectional", with_state=True)
    values: list[Any] = [None if array is None else torch.from_numpy(array) for array in arrays]
    y, h, c = lstm(*values, direction="bidirectional")
    turned = [values[0].transpose(0, 1), *values[1:5], *(v.transpose(0, 1) for v in values[5:])]
    y1, h1, c1 = lstm(*turned, direction="bidirectional", layout=1)
    torch.testing.assert_close(y1.permute(1, 2, 0, 3), y)
    torch.testing.assert_close(h1.transpose(0, 1), h)
    torch.testing.assert_close(c1.transpose(0, 1), c)


def test_known_equal_lengths_take_the_fast_way_at_any_batch() -> None:
    x, w, r, b = (torch.from_numpy(v) for v in inputs("GRU", "forward"))
    torch.testing.assert_close(gru(x[:, :1], w, r, b, (STEPS,) * 7), gru(x[:, :1], w, r, b))


@pytest.mark.parametrize("lengths", [None, torch.tensor([4, 1, 3])])
@pytest.mark.parametrize("operator", list(GATES))
def test_gradients(operator: str, lengths: torch.Tensor | None) -> None:
    function: Callable[..., Any] = {"RNN": rnn, "GRU": gru, "LSTM": lstm}[operator]
    x, w, r, b = (torch.from_numpy(v).double().requires_grad_() for v in inputs(operator, "reverse"))
    settings: dict[str, Any] = {"linear_before_reset": 1} if operator == "GRU" else {}
    assert torch.autograd.gradcheck(
        lambda *values: function(*values, lengths, direction="reverse", **settings), (x, w, r, b)
    )
