"""scikit-learn to ONNX through skl2onnx, for estimators in Python and in files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError, NotAClassifier
from ..messages import one_line
from . import ConversionOptions, Converted, require
from ._graph import declare_scores, only_output
from ._quiet import quiet

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

    Predict = Callable[[NDArray[Any]], NDArray[Any]]

__all__ = ["converted_estimator", "from_sklearn"]

_EXTRA = "sklearn"
_CLOSE = 1e-3  # of the scale of the scores, as the driver judges it
_TRIED = 16  # inputs that choose between the scores


def from_sklearn(estimator: Any, n_features: int | None = None, *, samples: NDArray[Any] | None = None) -> ModelProto:
    """Convert a fitted classifier in Python; its own predictions are compared with onnxruntime's.

    Args:
        estimator: a classifier or a pipeline that ends in one, on float features.
        n_features: of one input; left out, the estimator's ``n_features_in_``.
        samples: real inputs (N, n_features), compared beside random ones.

    Returns:
        The ONNX message: float32 (N, n_features) to decision values (N, K) where the estimator has them and skl2onnx
        writes them, else to probabilities.

    Raises:
        MissingExtra: skl2onnx is not installed.
        ModelError: not fitted, no classifier, not known to skl2onnx, or the result does not predict the same.
    """
    from ._driver import checked_message

    name = type(estimator).__name__
    with quiet():
        converted = converted_estimator(estimator, n_features, name)
    return checked_message(converted, name, ConversionOptions(samples=samples))


def converted_estimator(estimator: Any, n_features: int | None, file: str) -> Converted:
    """Convert to the first kind of scores that comes out as the estimator's own: decision values, then probabilities.

    Raises:
        MissingExtra: skl2onnx is not installed.
        ModelError: not fitted, no classifier, or not known to skl2onnx.
    """
    exporter = f"skl2onnx {require('skl2onnx', _EXTRA).__version__}"
    features = n_features or getattr(estimator, "n_features_in_", None)
    if not isinstance(features, int):
        raise ModelError(
            f"{file}: expected a fitted estimator, got one without n_features_in_; fit it or give n_features"
        )
    candidates = list(_scores(estimator))
    if not candidates:
        raise NotAClassifier(f"{file}: {type(estimator).__name__} gives neither probabilities nor decision values")
    for options, predict in candidates:
        model = _exported(estimator, features, options, file)
        if _agree(model, predict, features):
            break
    classes = predict(np.zeros((1, features), np.float32)).shape[1]
    return Converted(declare_scores(model, classes), predict, exporter)


def _scores(estimator: Any) -> Iterator[tuple[dict[str, bool], Predict]]:
    """What the estimator can say of a class, best first, with skl2onnx's option for it."""
    if hasattr(estimator, "decision_function"):
        yield {"raw_scores": True}, lambda inputs: _paired(estimator.decision_function(inputs))
    if hasattr(estimator, "predict_proba"):
        yield {}, lambda inputs: np.asarray(estimator.predict_proba(inputs))


def _paired(values: NDArray[Any]) -> NDArray[Any]:
    """Two classes share one decision value: that of the second, and minus that of the first."""
    return np.stack([-values, values], 1) if values.ndim == 1 else values


def _exported(estimator: Any, features: int, options: dict[str, bool], file: str) -> ModelProto:
    to_onnx = require("skl2onnx", _EXTRA).to_onnx
    example = np.zeros((1, features), np.float32)
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    failure: Exception | None = None
    for tried in ({"zipmap": False, **options}, options, {"zipmap": False}, {}):  # not every estimator knows both
        try:
            model = to_onnx(estimator, example, options={id(last): tried} if tried else None)
            names = [output.name for output in model.graph.output]
            return only_output(model, names[-1], file)
        except NameError as error:  # an option that skl2onnx does not know for this estimator
            failure = error
        except Exception as error:  # noqa: BLE001 - its exceptions share no base class
            raise ModelError(f"{file}: skl2onnx cannot convert it: {one_line(error, 200)}") from None
    raise ModelError(f"{file}: skl2onnx cannot convert it: {one_line(failure, 200)}")


def _agree(model: ModelProto, predict: Predict, features: int) -> bool:
    from onnxruntime import InferenceSession

    inputs = np.random.default_rng(0).standard_normal((_TRIED, features)).astype(np.float32)
    expected = predict(inputs)
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    got = np.asarray(session.run(None, {model.graph.input[0].name: inputs})[0])
    return got.shape == expected.shape and bool(np.abs(got - expected).max() <= _CLOSE * np.abs(expected).max())
