"""Torch against onnxruntime: a twin that disagrees is not used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError, TwinError
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
        max_difference: absolute difference of a logit on the input where it is largest beside what passes there.
        logit_scale: largest absolute logit that onnxruntime gave for inputs of that kind (real ones, or all), the unit
            of ``relative``.
        agreement: share of inputs, in [0, 1], on which both name the same class or the original's best two scores are
            closer than the tolerance.
        inputs: how many inputs were compared (random and real).
        tolerance: the largest ``relative`` that passes for inputs of that kind.
        moved: how far onnxruntime's own graph optimisations move the logits of that input's kind, in the same unit;
            0 where the twin passed without being allowed for it.
        surrogates: operators whose gradient in the twin is not that of their values, such as
            "TreeEnsembleClassifier (soft)".
    """

    max_difference: float
    logit_scale: float
    agreement: float
    inputs: int
    tolerance: float
    moved: float = 0.0
    surrogates: tuple[str, ...] = ()

    @property
    def smoothed(self) -> bool:
        """Whether decisions are smoothed for the gradient: it points well only where they are few and far."""
        return any(name.endswith("(soft)") for name in self.surrogates)

    @property
    def relative(self) -> float:
        """Largest difference in units of the logit scale."""
        return self.max_difference / self.logit_scale if self.logit_scale else self.max_difference


@dataclass(frozen=True)
class Tolerance:
    """What passes: a largest difference in units of the logit scale, and a smallest agreement.

    Attributes:
        relative: passes in any case.
        agreement: the smallest share of inputs on which the class is the same.
        limit: up to here a difference passes that is no larger than `_SLACK` times what onnxruntime's own graph
            optimisations make on the same inputs, or a millionth of each input where it rounds; no more than
            ``relative`` where it is 0.
        exact: whether the twin must be within ``relative`` of the graph without optimisations for that: then the
            difference is theirs, and not the twin's.
    """

    relative: float
    agreement: float
    limit: float = 0.0
    exact: bool = False

    def widened(self, moved: NDArray[Any]) -> NDArray[Any]:
        """Return what passes beside a judge that itself moves so far."""
        return np.clip(_SLACK * moved, self.relative, max(self.limit, self.relative))


_SLACK = 1.5  # the twin rounds at other places than either form of onnxruntime's graph
# Both sides compute in float32, but sum in another order: 1e-3 is far above that and far below a wrong operator.
# Some of onnxruntime's optimisations change the graph's values: a Pad of zeros, merged into the MaxPool behind it, is
# one of minus infinity. A twin of the graph as written is used where that shows in the third digit at most.
FLOAT = Tolerance(relative=1e-3, agreement=1.0, limit=0.02, exact=True)
# The twin is exact here, too, but onnxruntime may fuse such a layer into one that rounds its inputs.
ROUNDED_WEIGHTS = Tolerance(relative=1e-3, agreement=1.0, limit=0.02)
# Half precision keeps three digits, and onnxruntime computes in it where the twin computes in float32.
HALF = Tolerance(relative=0.02, agreement=1.0)
# A sum in another order can cross a rounding boundary, which moves a value by one of 255 steps, and then the layers
# behind it. A dozen steps are allowed (0.05 of 255), and a different answer on one input in fifty. Where the logits
# span a dozen steps only, as those of int8 MNIST networks do on noise, two steps are a sixth of all, and onnxruntime
# with and without its own optimisations differs by as much.
QUANTIZED = Tolerance(relative=0.05, agreement=0.98, limit=0.25)


def tolerance_for(model: ModelProto) -> Tolerance:
    """Return what a twin of this model must keep to."""
    from .graphs import tensors

    if any(_rounds(node) for node in model.graph.node):
        return QUANTIZED
    types = {value.type.tensor_type.elem_type for value in model.graph.input}
    if _HALVES & (types | {tensor.data_type for tensor in tensors(model)}):
        return HALF
    return ROUNDED_WEIGHTS if any("Dequantize" in node.op_type for node in model.graph.node) else FLOAT


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
    plain: Run | None = None,
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
        plain: the reference without onnxruntime's graph optimisations; asked only when the twin would fail otherwise,
            for how far the judge itself moves.

    Raises:
        TwinError: with the largest difference, when the twin fails or is outside the tolerance.
    """
    expected, scores = reference(inputs), original(inputs)
    got = _logits_of(twin, expected, inputs, file)
    sides = _Sides(expected, scores, got, real)
    allowed = np.full(len(inputs), tolerance.relative)
    parity = sides.parity(allowed)
    if sides.passes(allowed, tolerance.agreement):
        return parity
    unoptimised = _plain_logits(plain, inputs, expected.shape)
    if unoptimised is None:
        raise TwinError(f"{file}: no torch twin: {_failure(parity, tolerance)}")
    moved = sides.moved(unoptimised)
    if not tolerance.exact:
        moved = np.maximum(moved, sides.moved(reference(_beside(inputs))))
    allowed = tolerance.widened(moved)
    parity = sides.parity(allowed, moved)
    follows = _Sides(unoptimised, unoptimised, got, real).passes(np.full(len(inputs), tolerance.relative), 0.0)
    if sides.passes(allowed, tolerance.agreement) and (follows or not tolerance.exact):
        return parity
    raise TwinError(f"{file}: no torch twin: {_failure(parity, tolerance)}{_fault(parity) if follows else ''}")


@dataclass(frozen=True)
class _Sides:
    """Logits (N, K) of the reference and of the twin, and the original's scores; the last `real` rows are real."""

    expected: NDArray[np.float32]
    scores: NDArray[np.float32]
    got: NDArray[np.float32]
    real: int

    @property
    def scales(self) -> NDArray[Any]:
        return self._by_kind(np.abs(self.expected).max(1))

    @property
    def units(self) -> NDArray[Any]:
        """The scales, and 1 for a network that gives zero."""
        return np.where(self.scales > 0, self.scales, 1.0)

    @property
    def relatives(self) -> NDArray[Any]:
        differences = np.abs(self.got - self.expected).max(1)
        return np.where(np.isnan(differences), np.inf, differences / self.units)

    def moved(self, unoptimised: NDArray[np.float32]) -> NDArray[Any]:
        """How far the reference is from its own form without optimisations, the most of each kind of inputs."""
        own: NDArray[Any] = self._by_kind(np.abs(self.expected - unoptimised).max(1)) / self.units
        return own

    def passes(self, allowed: NDArray[Any], agreement: float) -> bool:
        return bool((self.relatives <= allowed).all()) and self._agreement(allowed) >= agreement

    def parity(self, allowed: NDArray[Any], moved: NDArray[Any] | None = None) -> Parity:
        """The comparison at the row that is worst beside what is allowed for it."""
        worst = int(np.argmax(self.relatives / allowed))
        difference = float(np.abs(self.got[worst] - self.expected[worst]).max())
        own = 0.0 if moved is None else float(moved[worst])
        scale, limit = float(self.scales[worst]), float(allowed[worst])
        return Parity(difference, scale, self._agreement(allowed), len(self.expected), limit, own)

    def _agreement(self, allowed: NDArray[Any]) -> float:
        # A head in float32 or int8 makes ties of scores that the logits tell apart: there argmax says nothing.
        decided = (_gap(self.expected) > allowed * self.scales) & (_gap(self.scores) > 0)
        return float(((self.got.argmax(1) == self.scores.argmax(1)) | ~decided).mean())

    def _by_kind(self, values: NDArray[Any]) -> NDArray[Any]:
        """The largest value of all rows, and for the real rows that of theirs."""
        largest, first = np.full(len(values), values.max()), len(values) - self.real
        largest[first:] = values[first:].max(initial=0)
        return largest


def _beside(inputs: NDArray[Any]) -> NDArray[Any]:
    """Inputs that differ by what float32 can hardly tell: where that crosses rounding boundaries, so will a twin."""
    noise = np.random.default_rng(0).standard_normal(inputs.shape)
    return (inputs * (1 + 1e-6 * noise)).astype(inputs.dtype)


def _logits_of(twin: Run, expected: NDArray[np.float32], inputs: NDArray[Any], file: str) -> NDArray[np.float32]:
    if not np.isfinite(expected).all():
        rows = int((~np.isfinite(expected)).any(1).sum())
        raise TwinError(f"{file}: no torch twin: its logits are NaN or infinite for {rows} of {len(inputs)} inputs")
    try:
        got = twin(inputs)
    except Exception as error:  # noqa: BLE001 - converted code, run for the first time, may raise anything
        raise TwinError(f"{file}: no torch twin: it fails on inputs {inputs.shape}: {one_line(error)}") from None
    if got.shape != expected.shape:
        raise TwinError(f"{file}: no torch twin: expected logits of shape {expected.shape}, got {got.shape}")
    return got


def _plain_logits(plain: Run | None, inputs: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    """The reference's logits without optimisations; None where onnxruntime cannot run it so."""
    try:
        logits = plain(inputs) if plain else None
    except ModelError:
        return None
    return logits if logits is not None and logits.shape == shape and np.isfinite(logits).all() else None


def _failure(parity: Parity, tolerance: Tolerance) -> str:
    return (
        f"it differs from onnxruntime by up to {parity.max_difference:.3g} on logits of up to {parity.logit_scale:.3g} "
        f"(allowed {parity.tolerance:.2g} of that) and agrees on the class of {parity.agreement:.1%} of "
        f"{parity.inputs} inputs (expected {tolerance.agreement:.0%})"
    )


def _fault(parity: Parity) -> str:
    """What to say where the twin follows the graph as it is written and onnxruntime's optimised form does not."""
    return (
        f"; the twin agrees with onnxruntime without graph optimisations, which alone move the logits by "
        f"{parity.moved:.2g} of their scale: they are at fault, so try another version of onnxruntime"
    )


def _gap(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distance between the best two scores of each row."""
    best = np.partition(scores, -2, axis=1)
    return best[:, -1] - best[:, -2]
