"""Free a fixed batch axis, where running the freed graph proves that its rows do not depend on each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper

from .answers import Answer
from .errors import ModelError
from .facts import TensorSpec
from .graphs import copied
from .runtime import Session
from .signature import input_spec

__all__ = ["free_batch"]

_PROOF_BATCHES = (1, 2, 7)
_TOLERANCE = 1e-4  # of the largest score: onnxruntime picks other kernels, and so other sums, for other batch sizes


def free_batch(model: ModelProto) -> ModelProto:
    """Make the batch axis of input and output free.

    An exporter that saw one batch size writes it into Reshape constants too; those that begin with it are told to keep
    the axis as it is. Whether that was the batch is not guessed but run: unless batches of 1, 2 and 7 random inputs
    give the rows that the original gives, the model is returned as it is.
    """
    spec = input_spec(model.graph, "model")
    if spec.shape[0] is None or None in spec.shape:
        return model
    freed = _rewrite(model, spec.shape[0])
    return freed if _same_rows(model, freed, spec) else model


def _rewrite(model: ModelProto, batch: int) -> ModelProto:
    freed = copied(model)
    constants = {tensor.name for tensor in freed.graph.initializer}
    del freed.graph.value_info[:]
    for value in (*freed.graph.input, *freed.graph.output):
        if value.name not in constants and value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = "N"
    shapes = {n.input[1] for n in freed.graph.node if n.op_type == "Reshape" and n.input[0] not in constants}
    for tensor in freed.graph.initializer:
        target = numpy_helper.to_array(tensor).tolist() if tensor.name in shapes else []
        if len(target) > 1 and target[0] == batch:
            tensor.CopyFrom(numpy_helper.from_array(np.array([0, *target[1:]], np.int64), tensor.name))
    return freed


def _same_rows(model: ModelProto, freed: ModelProto, spec: TensorSpec) -> bool:
    free_spec = TensorSpec(spec.name, (None, *spec.shape[1:]), spec.dtype)
    inputs = np.random.default_rng(0).random((max(_PROOF_BATCHES), *(size or 1 for size in spec.shape[1:])), np.float32)
    answer = Answer(TensorSpec(model.graph.output[0].name, (), spec.dtype))
    try:
        expected = Session(model.SerializeToString(), spec, answer, "model").run(inputs)
        session = Session(freed.SerializeToString(), free_spec, answer, "model")
        if session.find_batch(inputs) is not None:  # it declares a free axis and takes single inputs only
            return False
        return all(_close(session.run(inputs[:n]), expected[:n]) for n in _PROOF_BATCHES)
    except ModelError:
        return False


def _close(got: NDArray[np.float32], expected: NDArray[np.float32]) -> bool:
    return got.shape == expected.shape and bool(np.abs(got - expected).max() <= _TOLERANCE * np.abs(expected).max())
