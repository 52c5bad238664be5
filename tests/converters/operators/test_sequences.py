"""Sequences and optionals."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnxray.converters.operators.sequences import (
    optional_get_element,
    optional_has_element,
    sequence_at,
    sequence_erase,
    sequence_insert,
)
from onnxray.converters.to_torch import network_of

X = np.random.default_rng(0).standard_normal((2, 6, 3), dtype=np.float32)
GRAPHS = {
    "join": "s = SequenceConstruct(x, x)  y = ConcatFromSequence<axis = 1>(s)",
    "stack": "s = SequenceConstruct(x, x)  y = ConcatFromSequence<axis = -1, new_axis = 1>(s)",
    "insert": "e = SequenceEmpty()  s = SequenceInsert(e, x)  n = Neg(x)  t = SequenceInsert(s, n, m)"
    "  y = ConcatFromSequence<axis = 0>(t)",
    "erase": "n = Neg(x)  s = SequenceConstruct(x, n, x)  t = SequenceErase(s, m)  y = ConcatFromSequence<axis = 0>(t)",
    "at": "n = Neg(x)  s = SequenceConstruct(x, n)  y = SequenceAt(s, m)",
    "length": "s = SequenceConstruct(x, x, x)  l = SequenceLength(s)  f = CastLike(l, x)  y = Mul(x, f)",
    "slices": "s = SplitToSequence<axis = 1, keepdims = 0>(x)  y = SequenceAt(s, m)",
    "kept slices": "s = SplitToSequence<axis = 1>(x)  y = SequenceAt(s, m)",
    "chunks": "s = SplitToSequence<axis = 1>(x, k)  y = SequenceAt(s, m)",
    "sizes": "s = SplitToSequence<axis = 1>(x, z)  y = SequenceAt(s, m)",
}


@pytest.mark.parametrize("body", GRAPHS.values(), ids=GRAPHS)
def test_sequences(body: str) -> None:
    constants = "<int64 m = {-1}, int64 k = {4}, int64[3] z = {1, 3, 2}>"
    text = f'<ir_version: 8, opset_import: ["": 17]> net (float[N,6,3] x) => (float y) {constants} {{ {body} }}'
    model = onnx.parser.parse_model(text)
    model.graph.output[0].ClearField("type")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    (expected,) = onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, {"x": X})
    try:
        (got,) = network_of(model)(torch.from_numpy(X))
    except NotImplementedError as error:
        if "operators not supported: " in str(error):
            pytest.skip(str(error))
        raise
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_a_sequence_is_never_changed_in_place() -> None:
    sequence = [torch.zeros(1), torch.ones(1)]
    sequence_insert(sequence, torch.ones(1), 0)
    sequence_erase(sequence, -2)
    assert [value.item() for value in sequence] == [0, 1]
    assert sequence_at(sequence, -1) is sequence[1]


def test_optionals() -> None:
    assert optional_has_element().item() is False
    assert optional_has_element(torch.zeros(1)).item() is True
    with pytest.raises(ValueError, match="the optional is empty"):
        optional_get_element(None)
