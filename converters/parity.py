"""Torch against onnxruntime: a twin that disagrees is not used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import TwinError
from .facts import TensorSpec
from .messages import one_line

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

__all__ = ["Parity", "Tolerance", "compare", "random_inputs", "tolerance_for"]

_RANDOM = 16  # inputs of each kind
_HALVES = {10, 16}  # TensorProto.FLOAT16 and BFLOAT16
Run = Callable[[NDArray[Any]], NDArray[np.float32]]


@dataclass(frozen=True)
class Parity:
    """How far the torch twin is from onnxruntime.

    Attributes:
        max_difference: absolute difference of a logit on the input where it is largest beside the logit scale.
        logit_scale: largest absolute logit that onnxruntime gave for inputs of that kind (real ones, or all), the unit
            of ``relative``.
        agreement: share of inputs, in [0, 1], on which both name the same class or the original's best two scores are
            closer than the tolerance.
        inputs: how many inputs were compared (random and real).
        tolerance: the largest ``relative`` that passes.
    """

    max_difference: float
    logit_scale: float
    agreement: float
    inputs: int
    tolerance: float

    @property
    def relative(self) -> float:
        """Largest difference in units of the logit scale."""
        return self.max_difference / self.logit_scale if self.logit_scale else self.max_difference


@dataclass(frozen=True)
class Tolerance:
    """What passes: a largest difference in units of the logit scale, and a smallest agreement."""

    relative: float
    agreement: float


# Both sides compute in float32, but sum in another order: 1e-3 is far above that and far below a wrong operator.
FLOAT = Tolerance(relative=1e-3, agreement=1.0)
# Half precision keeps three digits, and onnxruntime computes in it where the twin computes in float32.
HALF = Tolerance(relative=0.02, agreement=1.0)
# A sum in another order can cross a rounding boundary, which moves a value by one of 255 steps, and then the layers
# behind it: onnxruntime with and without its own optimisations differs by two steps of the logits on an int8 MNIST
# network. A dozen steps are allowed (0.05 of 255), and a different answer on one input in fifty.
QUANTIZED = Tolerance(relative=0.05, agreement=0.98)


def tolerance_for(model: ModelProto) -> Tolerance:
    """Return what a twin of this model must keep to."""
    from .graphs import tensors

    if any(_rounds(node) for node in model.graph.node):
        return QUANTIZED
    types = {value.type.tensor_type.elem_type for value in model.graph.input}
    return HALF if _HALVES & (types | {tensor.data_type for tensor in tensors(model)}) else FLOAT


def _rounds(node: NodeProto) -> bool:
    """Whether a node rounds activations to integers; quantised weights alone, as in MatMulNBits, are exact."""
    level = next((a.i for a in node.attribute if a.name == "accuracy_level"), 0)
    return level == 4 or any(part in node.op_type for part in ("Quantize", "QLinear", "Integer", "QGemm", "QAttention"))


def random_inputs(spec: TensorSpec, shape: tuple[int, ...], seed: int = 0) -> NDArray[np.float32]:
    """Return 16 uniform and 16 normal inputs of the shape; for an integer input, 32 of bytes."""
    rng = np.random.default_rng(seed)
    if np.dtype(spec.dtype).kind in "iu":
        low, high = (-128, 127) if spec.dtype == "int8" else (0, 255)
        return rng.integers(low, high + 1, (2 * _RANDOM, *shape)).astype(np.float32)
    half = (_RANDOM, *shape)
    return np.concatenate([rng.random(half, np.float32), rng.standard_normal(half, np.float32)])


def compare(
    file: str,
    twin: Run,
    reference: Run,
    original: Run,
    inputs: NDArray[Any],
    tolerance: Tolerance,
    real: int = 0,
) -> Parity:
    """Compare the twin with the reference's logits and with the class that the original file names.

    Args:
        file: for messages.
        twin: the torch module.
        reference: the original graph up to its logits, in onnxruntime.
        original: the untouched file in onnxruntime.
        inputs: (N, ...), N >= 1.
        tolerance: what passes.
        real: how many of the inputs, at the end, are real: they are held to the scale of their own logits, because
            random inputs may give logits so large that any error on real ones would look small.

    Raises:
        TwinError: with the largest difference, when the twin fails or is outside the tolerance.
    """
    expected, scores = reference(inputs), original(inputs)
    if not np.isfinite(expected).all():
        rows = int((~np.isfinite(expected)).any(1).sum())
        raise TwinError(f"{file}: no torch twin: its logits are NaN or infinite for {rows} of {len(inputs)} inputs")
    try:
        got = twin(inputs)
    except Exception as error:  # noqa: BLE001 - converted code, run for the first time, may raise anything
        raise TwinError(f"{file}: no torch twin: it fails on inputs {inputs.shape}: {one_line(error)}") from None
    if got.shape != expected.shape:
        raise TwinError(f"{file}: no torch twin: expected logits of shape {expected.shape}, got {got.shape}")
    scales = np.full(len(inputs), np.abs(expected).max())
    scales[len(inputs) - real :] = np.abs(expected[len(inputs) - real :]).max(initial=0)
    differences = np.abs(got - expected).max(1)
    worst = int(np.argmax(np.where(np.isnan(differences), np.inf, differences / np.maximum(scales, 1e-30))))
    difference, scale = float(differences[worst]), float(scales[worst])
    # A head in float32 or int8 makes ties of scores that the logits tell apart: there argmax says nothing.
    decided = (_gap(expected) > tolerance.relative * scales) & (_gap(scores) > 0)
    agreement = float(((got.argmax(1) == scores.argmax(1)) | ~decided).mean())
    parity = Parity(difference, scale, agreement, len(inputs), tolerance.relative)
    if not parity.relative <= tolerance.relative or agreement < tolerance.agreement:  # NaN passes no comparison
        raise TwinError(f"{file}: no torch twin: {_failure(parity, tolerance)}")
    return parity


def _failure(parity: Parity, tolerance: Tolerance) -> str:
    return (
        f"it differs from onnxruntime by up to {parity.max_difference:.3g} on logits of up to {parity.logit_scale:.3g} "
        f"(allowed {tolerance.relative:g} of that) and agrees on the class of {parity.agreement:.1%} of "
        f"{parity.inputs} inputs (expected {tolerance.agreement:.0%})"
    )


def _gap(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distance between the best two scores of each row."""
    best = np.partition(scores, -2, axis=1)
    return best[:, -1] - best[:, -2]
