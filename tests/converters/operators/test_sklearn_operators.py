"""Classifiers as skl2onnx exports them: the network's scores are onnxruntime's, and a gradient comes back."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from onnxray.converters.graphs import copied
from onnxray.converters.normalize import drop_unused, lift_constants
from onnxray.converters.to_torch import network_of

pytest.importorskip("sklearn")
skl2onnx = pytest.importorskip("skl2onnx")

FEATURES = 6
# Their scores are steps.
NO_GRADIENT = ("AdaBoostClassifier", "BernoulliNB", "KBinsDiscretizer", "Binarizer", "KNeighborsClassifier")


def classifiers() -> dict[str, Any]:
    from sklearn import discriminant_analysis, ensemble, linear_model, naive_bayes, neighbors, preprocessing, svm, tree
    from sklearn.impute import SimpleImputer
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline

    found = [
        ensemble.RandomForestClassifier(4, max_depth=4), ensemble.ExtraTreesClassifier(3, max_depth=5),
        ensemble.GradientBoostingClassifier(n_estimators=3), ensemble.AdaBoostClassifier(n_estimators=3),
        ensemble.BaggingClassifier(n_estimators=2), tree.DecisionTreeClassifier(max_depth=6),
        svm.SVC(), svm.SVC(kernel="linear"), svm.SVC(kernel="poly"), svm.NuSVC(),
        linear_model.LogisticRegression(), linear_model.SGDClassifier(loss="log_loss"),
        linear_model.RidgeClassifier(),
        MLPClassifier((5,), max_iter=20), neighbors.KNeighborsClassifier(3),
        naive_bayes.GaussianNB(), naive_bayes.BernoulliNB(), discriminant_analysis.LinearDiscriminantAnalysis(),
        discriminant_analysis.QuadraticDiscriminantAnalysis(),
    ]  # fmt: skip
    scalers = [
        preprocessing.StandardScaler(), preprocessing.MinMaxScaler(), preprocessing.Normalizer(),
        preprocessing.Binarizer(), preprocessing.KBinsDiscretizer(3, encode="ordinal"),
    ]  # fmt: skip
    named = {f"{type(one).__name__}-{getattr(one, 'kernel', '')}".rstrip("-"): one for one in found}
    for scaler in scalers:
        steps = make_pipeline(SimpleImputer(), scaler, linear_model.LogisticRegression())
        named[type(scaler).__name__] = steps
    return named


def exported(name: str, classes: int) -> tuple[Any, Any]:
    """The file with its scores as its only output, and inputs."""
    from sklearn.datasets import make_classification

    x, y = make_classification(
        150, FEATURES, n_informative=5, n_redundant=0, n_classes=classes, n_clusters_per_class=1, random_state=0
    )
    x = x.astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = classifiers()[name].fit(x, y)
        model = skl2onnx.to_onnx(
            fitted, x[:1], options={"zipmap": False}, target_opset={"": 18, "ai.onnx.ml": 3}
        )  # fmt: skip
    model = copied(model)
    scores = model.graph.output.pop(1)
    del model.graph.output[:]
    model.graph.output.append(scores)
    return lift_constants(drop_unused(model)), x


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", list(classifiers()))
def test_scores_and_gradient(name: str, classes: int) -> None:
    model, x = exported(name, classes)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {session.get_inputs()[0].name: x})
    network = network_of(model)
    inputs = torch.from_numpy(x).requires_grad_()
    (scores,) = network(inputs)
    np.testing.assert_allclose(scores.detach().numpy(), expected, rtol=1e-4, atol=1e-4)
    if name in NO_GRADIENT:
        return
    weights = torch.arange(1.0, scores.shape[1] + 1)
    (gradient,) = torch.autograd.grad((scores * weights).sum(), inputs)
    assert gradient.isfinite().all()
    assert gradient.any()
