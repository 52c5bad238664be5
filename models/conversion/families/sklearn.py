"""Tabular classifiers of scikit-learn through skl2onnx, and boosted trees through onnxmltools."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from . import Recipe

FEATURES = 8


def models() -> Iterator[tuple[str, Recipe]]:
    """Every estimator with two and with four classes."""
    for name, make in _estimators().items():
        for classes in (2, 4):
            yield f"{name}-{classes}", partial(_export, make, classes)
    for classes in (2, 4):
        yield f"xgboost-{classes}", partial(_xgboost, classes)
        yield f"lightgbm-{classes}", partial(_lightgbm, classes)


def _estimators() -> dict[str, Callable[[], Any]]:
    from sklearn import discriminant_analysis, ensemble, linear_model, naive_bayes, neighbors, neural_network, svm, tree
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.decomposition import PCA
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures, StandardScaler

    small = {"n_estimators": 10, "random_state": 0}
    return {
        "logistic": linear_model.LogisticRegression,
        "sgd": lambda: linear_model.SGDClassifier(loss="log_loss", random_state=0),
        "ridge": linear_model.RidgeClassifier,
        "perceptron": lambda: linear_model.Perceptron(random_state=0),
        "lda": discriminant_analysis.LinearDiscriminantAnalysis,
        "qda": discriminant_analysis.QuadraticDiscriminantAnalysis,
        "gaussian-nb": naive_bayes.GaussianNB,
        "bernoulli-nb": naive_bayes.BernoulliNB,
        "k-neighbours": neighbors.KNeighborsClassifier,
        "mlp": lambda: neural_network.MLPClassifier((16,), max_iter=50, random_state=0),
        "tree": lambda: tree.DecisionTreeClassifier(random_state=0),
        "forest": lambda: ensemble.RandomForestClassifier(**small),
        "extra-trees": lambda: ensemble.ExtraTreesClassifier(**small),
        "gradient-boosting": lambda: ensemble.GradientBoostingClassifier(**small),
        "hist-gradient-boosting": lambda: ensemble.HistGradientBoostingClassifier(max_iter=10, random_state=0),
        "ada-boost": lambda: ensemble.AdaBoostClassifier(**small),
        "bagging": lambda: ensemble.BaggingClassifier(**small),
        "voting": lambda: ensemble.VotingClassifier(
            [("a", linear_model.LogisticRegression()), ("b", tree.DecisionTreeClassifier(random_state=0))], voting="soft"  # noqa: E501
        ),
        "linear-svc": lambda: svm.LinearSVC(random_state=0),
        "svc-rbf": svm.SVC,
        "svc-poly": lambda: svm.SVC(kernel="poly"),
        "svc-linear": lambda: svm.SVC(kernel="linear"),
        "nu-svc": svm.NuSVC,
        "calibrated": lambda: CalibratedClassifierCV(svm.LinearSVC(random_state=0), cv=2),
        "one-vs-rest": lambda: OneVsRestClassifier(linear_model.LogisticRegression()),
        "scaled-svc": lambda: make_pipeline(StandardScaler(), svm.SVC()),
        "pca-logistic": lambda: make_pipeline(MinMaxScaler(), PCA(4), linear_model.LogisticRegression()),
        "polynomial-logistic": lambda: make_pipeline(PolynomialFeatures(2), linear_model.LogisticRegression(max_iter=500)),  # noqa: E501
    }  # fmt: skip


def _data(classes: int) -> tuple[Any, Any]:
    from sklearn.datasets import make_classification

    x, y = make_classification(
        400, FEATURES, n_informative=6, n_redundant=0, n_classes=classes, random_state=0, class_sep=1.5
    )
    return x.astype(np.float32), y


def _export(make: Callable[[], Any], classes: int, path: str) -> None:
    from skl2onnx import to_onnx

    x, y = _data(classes)
    estimator = make().fit(x, y)
    Path(path).write_bytes(to_onnx(estimator, x[:1]).SerializeToString())


def _xgboost(classes: int, path: str) -> None:
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType
    from xgboost import XGBClassifier

    estimator = XGBClassifier(n_estimators=10, max_depth=4).fit(*_data(classes))
    model = convert_xgboost(estimator, initial_types=[("x", FloatTensorType([None, FEATURES]))])
    Path(path).write_bytes(model.SerializeToString())


def _lightgbm(classes: int, path: str) -> None:
    from lightgbm import LGBMClassifier
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    estimator = LGBMClassifier(n_estimators=10, verbose=-1).fit(*_data(classes))
    model = convert_lightgbm(estimator, initial_types=[("x", FloatTensorType([None, FEATURES]))])
    Path(path).write_bytes(model.SerializeToString())
