"""If, Loop, Scan and SequenceMap in whole graphs, against onnxruntime where it runs them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnxray.converters.operators.control import loop, scan, sequence_map
from onnxray.converters.to_torch import network_of

IF = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[2] x, bool c) => (float[2] y) {
    y = If (c) <
        then_branch = yes () => (float[2] a) { a = Add(x, x) },
        else_branch = no () => (float[2] b) { b = Mul(x, x) }
    >
}
"""
LOOP = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[2] x, int64 n, bool c) => (float[2] y, float[?, 2] all) {
    y, all = Loop (n, c, x) <
        body = body (int64 i, bool go, float[2] v) => (bool more, float[2] w, float[2] row) {
            w = Add(v, x)
            row = Mul(w, x)
            total = ReduceSum <keepdims = 0> (w)
            limit = Constant <value_float = 20.0> ()
            more = Less(total, limit)
        }
    >
}
"""
SCAN = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[2] s, float[2, 3] x) => (float[2] t, float[2, 3] y) {
    t, y = Scan <
        num_scan_inputs = 1, scan_input_axes = [1], scan_output_axes = [1],
        scan_input_directions = [1], scan_output_directions = [1],
        body = body (float[2] a, float[2] b) => (float[2] c, float[2] d) {
            c = Add(a, b)
            d = Mul(c, b)
        }
    > (s, x)
}
"""


def agree(text: str, *arrays: Any) -> None:
    model = onnx.parser.parse_model(text)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    expected = session.run(None, dict(zip((i.name for i in session.get_inputs()), arrays, strict=True)))
    got = network_of(model)(*[torch.from_numpy(np.asarray(array)) for array in arrays])
    for value, want in zip(got, expected, strict=True):
        np.testing.assert_allclose(value.numpy(), want, rtol=1e-6)


@pytest.mark.parametrize("condition", [True, False])
def test_if(condition: bool) -> None:
    agree(IF, np.array([1, 3], np.float32), np.array(condition))


@pytest.mark.parametrize("trips", [0, 1, 3, 50])
@pytest.mark.parametrize("condition", [True, False])
def test_loop(trips: int, condition: bool) -> None:
    agree(LOOP, np.array([1, 3], np.float32), np.array(trips), np.array(condition))


def test_scan_backwards_along_another_axis() -> None:
    agree(SCAN, np.array([1, 2], np.float32), np.array([[1, 2, 3], [4, 5, 6]], np.float32))


def test_a_gradient_goes_through_a_loop() -> None:
    x = torch.tensor([0.5], dtype=torch.float64, requires_grad=True)
    body = lambda i, go, v: (go, v * v)  # noqa: E731
    assert torch.autograd.gradcheck(lambda v: loop(3, None, v, body=body, _outputs=1)[0], (x,))


def test_refusals() -> None:
    with pytest.raises(NotImplementedError, match="without an end"):
        loop(None, None, body=lambda: (), _outputs=0)
    with pytest.raises(NotImplementedError, match="empty axis"):
        scan(torch.zeros(0, 2), body=lambda x: (x,), num_scan_inputs=1, _outputs=1)


def test_sequence_map_goes_through_sequences_together() -> None:
    (result,) = sequence_map([torch.tensor(1), torch.tensor(2)], [torch.tensor(3), torch.tensor(4)], torch.tensor(5),
                             body=lambda a, b, c: (a + b * c,), _outputs=1)  # fmt: skip
    assert [int(x) for x in result] == [16, 22]
