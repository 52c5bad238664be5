from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnxray.converters import ModelError, NotAClassifier, open_model
from onnxray.converters.sources import ConversionOptions, Refused, convert, from_sklearn
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

pytest.importorskip("skl2onnx")

X = np.random.default_rng(0).standard_normal((90, 6)).astype(np.float32)
THREE = X[:, :3].argmax(1)
TWO = THREE == 1


def run(model: Any, tmp_path: Path, inputs: NDArray[Any] = X) -> NDArray[Any]:
    path = tmp_path / "run.onnx"
    path.write_bytes(model.SerializeToString())
    return open_model(path).run(inputs)


ESTIMATORS = [
    LogisticRegression(), make_pipeline(StandardScaler(), LogisticRegression()), LinearSVC(), SVC(),
    RandomForestClassifier(5), GaussianNB(),
]  # fmt: skip


@pytest.mark.parametrize("labels", [TWO, THREE], ids=["two", "three"])
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_estimators_in_python(estimator: Any, labels: NDArray[Any], tmp_path: Path) -> None:
    estimator.fit(X, labels)
    scores = run(from_sklearn(estimator, samples=X), tmp_path)
    assert scores.shape == (90, len(np.unique(labels)))
    assert (estimator.classes_[scores.argmax(1)] == estimator.predict(X)).mean() > 0.98


def test_decision_values_are_preferred_to_probabilities(tmp_path: Path) -> None:
    estimator = LogisticRegression().fit(X, THREE)
    scores = run(from_sklearn(estimator), tmp_path)
    np.testing.assert_allclose(scores, estimator.decision_function(X), atol=1e-4)


def test_what_is_no_classifier_is_told() -> None:
    with pytest.raises(NotAClassifier, match="neither probabilities nor decision values"):
        from_sklearn(LinearRegression().fit(X, THREE))
    with pytest.raises(ModelError, match="fitted"):
        from_sklearn(LogisticRegression())


def test_skops_files(tmp_path: Path) -> None:
    skops_io = pytest.importorskip("skops.io")
    estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, THREE)
    skops_io.dump(estimator, tmp_path / "m.skops")
    summary = convert(tmp_path / "m.skops", tmp_path / "m.onnx", ConversionOptions(samples=X))
    assert summary.parity is not None
    assert summary.parity.inputs == 32 + len(X)
    scores = open_model(tmp_path / "m.skops").run(X)
    np.testing.assert_allclose(scores, estimator.decision_function(X), atol=1e-4)


def test_skops_types_that_are_not_trusted(tmp_path: Path) -> None:
    skops_io = pytest.importorskip("skops.io")
    path, out = tmp_path / "m.skops", tmp_path / "m.onnx"
    skops_io.dump(RandomForestClassifier(3).fit(X, THREE), path)
    with pytest.raises(Refused, match=r"--trust sklearn\.tree\._tree\.Tree"):
        convert(path, out)
    assert convert(path, out, ConversionOptions(trust=("sklearn.tree._tree.Tree",))).facts.classes == 3
    with pytest.raises(Refused, match=r"os\.system"):
        convert(path, out, ConversionOptions(trust=("sklearn.tree._tree.Tree", "os.system")))


class Mine(LogisticRegression):  # type: ignore[misc]
    pass


def test_a_foreign_type_cannot_be_trusted(tmp_path: Path) -> None:
    skops_io = pytest.importorskip("skops.io")
    skops_io.dump(Mine().fit(X, THREE), tmp_path / "m.skops")
    with pytest.raises(Refused, match=r"Mine.*from_sklearn"):
        convert(tmp_path / "m.skops", tmp_path / "m.onnx")
