"""The source's own predictions against onnxruntime's on the converted file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from ..facts import shown
from ..messages import one_line
from ..parity import Parity, random_inputs, tolerance_for
from ..runtime import cast

if TYPE_CHECKING:
    from ..model import Model

__all__ = ["held_against"]

_FREE = 32  # size of a free axis that is not the batch's
# A batch axis that is free in name only fails on one of these; a branch on the input's values that an exporter saw but
# one side of shows in single inputs.
_BATCHES = (1, 1, 1, 1, 2, 7)


def held_against(
    predict: Callable[[NDArray[Any]], NDArray[Any]],
    model: Model,
    shape: tuple[int, ...],
    samples: NDArray[Any] | None,
    file: str,
) -> Parity:
    """Compare the source with the converted file, both in batches of 1, 2, 7 and the rest.

    Args:
        predict: the source's scores (N, K) of inputs (N, ...).
        model: the converted file.
        shape: of one input; () takes the file's own, with 32 for free axes.
        samples: real inputs, compared too, against the scale of their own scores.
        file: for messages.

    Raises:
        ModelError: the source fails, or onnxruntime's scores are not its own; with the largest difference.
    """
    spec = model.facts.input
    inputs = random_inputs(spec, shape or tuple(size or _FREE for size in spec.shape[1:]))
    inputs = np.random.default_rng(0).permutation(inputs)
    real = 0 if samples is None else len(samples)
    if samples is not None and samples.shape[1:] != inputs.shape[1:]:
        raise ModelError(f"{file}: expected samples of shape {shown(inputs.shape)}, got {shown(samples.shape)}")
    inputs = cast(inputs if samples is None else np.concatenate([inputs, samples]), spec.dtype)
    expected = np.concatenate([_asked(predict, batch, file) for batch in _batches(inputs)])
    got = np.concatenate([model.run(batch) for batch in _batches(inputs)])
    if got.shape != expected.shape:
        raise ModelError(f"{file}: the source gives scores of shape {shown(expected.shape)}, the ONNX file {got.shape}")
    return _judged(got, expected, real, tolerance_for(model.graph).relative, file)


def _judged(got: NDArray[Any], expected: NDArray[Any], real: int, tolerance: float, file: str) -> Parity:
    both = np.isfinite(got).all() and np.isfinite(expected).all()
    if not both:
        raise ModelError(f"{file}: its scores are NaN or infinite for ordinary inputs; check its weights")
    scales = np.full(len(got), np.abs(expected).max())
    scales[len(got) - real :] = np.abs(expected[len(got) - real :]).max(initial=0)
    differences = np.abs(got - expected).max(1)
    worst = int(np.argmax(differences / np.maximum(scales, 1e-30)))
    best = np.partition(expected, -2, axis=1)
    decided = best[:, -1] - best[:, -2] > tolerance * scales
    agreement = float(((got.argmax(1) == expected.argmax(1)) | ~decided).mean())
    parity = Parity(float(differences[worst]), float(scales[worst]), agreement, len(got), tolerance)
    if parity.relative > tolerance:
        raise ModelError(
            f"{file}: the conversion is not faithful: onnxruntime's scores differ from the source's own by up to "
            f"{parity.max_difference:.3g} on a scale of {parity.logit_scale:.3g} (allowed {tolerance:g} of that); "
            "nothing was written"
        )
    return parity


def _asked(predict: Callable[[NDArray[Any]], NDArray[Any]], inputs: NDArray[Any], file: str) -> NDArray[np.float64]:
    try:
        scores = np.asarray(predict(inputs), np.float64)
    except Exception as error:  # noqa: BLE001 - a foreign framework may raise anything
        raise ModelError(
            f"{file}: the source itself fails on inputs {shown(inputs.shape)}: {one_line(error)}"
        ) from None
    return scores.reshape(len(scores), -1) if scores.ndim else scores.reshape(0, 0)


def _batches(inputs: NDArray[Any]) -> list[NDArray[Any]]:
    cuts = np.cumsum([size for size in _BATCHES if size < len(inputs)])
    return [batch for batch in np.split(inputs, cuts) if len(batch)]
