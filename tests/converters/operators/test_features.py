"""Feature preparation and linear models of ai.onnx.ml against onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from onnx import ModelProto, TensorProto, helper
from onnxray.converters.operators.features import array_feature_extractor, binarizer, zip_map
from onnxray.converters.to_torch import network_of
from onnxray.converters.walk import Unsupported

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 4)).astype(np.float32)
X[0], X[1] = 0, -np.abs(X[1])
WHOLE = RNG.integers(0, 5, (6, 4))
GAPS = np.where(X > 0.5, np.nan, X).astype(np.float32)
COEFFICIENTS = RNG.standard_normal(12).tolist()


def model(operator: str, x: Any, kinds: list[int], version: int = 3, **attributes: Any) -> ModelProto:
    names = [f"y{i}" for i in range(len(kinds))]
    node = helper.make_node(operator, ["x"], names, domain="ai.onnx.ml", **attributes)
    results = [helper.make_tensor_value_info(name, kind, None) for name, kind in zip(names, kinds, strict=True)]
    inputs = [helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)]
    versions = [helper.make_opsetid("ai.onnx.ml", version), helper.make_opsetid("", 17)]
    return helper.make_model(helper.make_graph([node], "g", inputs, results), opset_imports=versions, ir_version=9)


def agree(operator: str, x: Any, *kinds: int, **attributes: Any) -> None:
    proto = model(operator, x, list(kinds), **attributes)
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    for value, want in zip(network_of(proto)(torch.from_numpy(x)), session.run(None, {"x": x}), strict=True):
        assert value.numpy().dtype == want.dtype
        np.testing.assert_allclose(value.numpy(), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("operator", "x", "kind", "attributes"),
    [
        ("Scaler", X, FLOAT, {"offset": [1.0, 2.0, 3.0, 4.0], "scale": [0.5, 0.1, 2.0, 3.0]}),
        ("Scaler", X, FLOAT, {"offset": [1.0], "scale": [0.5]}),
        ("Scaler", WHOLE, FLOAT, {"offset": [1.0], "scale": [0.5]}),
        ("Scaler", X.astype(np.float64), FLOAT, {"offset": [1.0], "scale": [0.5]}),
        ("Normalizer", X, FLOAT, {"norm": "MAX"}),
        ("Normalizer", X, FLOAT, {"norm": "L1"}),
        ("Normalizer", X, FLOAT, {"norm": "L2"}),
        ("Normalizer", X[2], FLOAT, {"norm": "L2"}),
        ("Imputer", GAPS, FLOAT, {"imputed_value_floats": [1.0, 2.0, 3.0, 4.0], "replaced_value_float": np.nan}),
        ("Imputer", X, FLOAT, {"imputed_value_floats": [7.0], "replaced_value_float": 0.0}),
        ("Imputer", WHOLE, INT64, {"imputed_value_int64s": [7], "replaced_value_int64": 3}),
        ("Binarizer", X, FLOAT, {"threshold": 0.2}),
        ("FeatureVectorizer", X, FLOAT, {"inputdimensions": [4]}),
        ("FeatureVectorizer", X, FLOAT, {"inputdimensions": [6]}),
        ("FeatureVectorizer", WHOLE, FLOAT, {"inputdimensions": [4]}),
        ("OneHotEncoder", WHOLE, FLOAT, {"cats_int64s": [1, 3, 0]}),
        ("OneHotEncoder", WHOLE.astype(np.float32), FLOAT, {"cats_int64s": [1, 3, 0]}),
        ("LabelEncoder", WHOLE, FLOAT, {"keys_int64s": [1, 3, 1], "values_floats": [10.0, 20.0, 30.0]}),
        ("LinearRegressor", X, FLOAT, {"coefficients": COEFFICIENTS, "intercepts": [0.1, 0.2, 0.3], "targets": 3}),
        ("LinearRegressor", X, FLOAT, {"coefficients": COEFFICIENTS[:4], "post_transform": "LOGISTIC"}),
    ],
)
def test_features(operator: str, x: Any, kind: int, attributes: dict[str, Any]) -> None:
    agree(operator, x, kind, **attributes)


@pytest.mark.parametrize("transform", ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"])
@pytest.mark.parametrize(("classes", "rows"), [(2, 1), (2, 2), (3, 3)])
def test_linear_classifier(classes: int, rows: int, transform: str) -> None:
    if (rows, transform) == (1, "PROBIT"):
        pytest.skip("onnxruntime leaves the second score undefined")
    agree(
        "LinearClassifier", X, INT64, FLOAT, coefficients=COEFFICIENTS[: 4 * rows], intercepts=[0.1, -0.2, 0.3][:rows],
        classlabels_ints=[3, 5, 9][:classes], post_transform=transform,
    )  # fmt: skip


def test_text_labels_become_indices() -> None:
    names: dict[str, Any] = {"classlabels_strings": ["cat", "dog", "owl"]}
    proto = model("LinearClassifier", X, [TensorProto.STRING, FLOAT], coefficients=COEFFICIENTS, **names)
    label, scores = network_of(proto)(torch.from_numpy(X))
    assert label.tolist() == scores.argmax(1).tolist()
    proto = model("LabelEncoder", WHOLE, [TensorProto.STRING], keys_int64s=[3, 1], values_strings=["a", "b"])
    (places,) = network_of(proto)(torch.tensor([[1, 3, 4]]))
    assert places.tolist() == [[1, 0, -1]]


def test_missing_label_keys_match_missing_values() -> None:
    proto = model("LabelEncoder", X, [INT64], keys_floats=[float("nan"), 2.0], values_int64s=[10, 20])
    (labels,) = network_of(proto)(torch.tensor([[2.0, torch.nan, 3.0]]))
    assert labels.tolist() == [[20, 10, -1]]


@pytest.mark.parametrize(
    ("operator", "attributes", "reason"),
    [
        ("OneHotEncoder", {"cats_strings": ["a"]}, "categories that are text"),
        ("LabelEncoder", {"keys_strings": ["a"], "values_int64s": [1]}, "keys that are text"),
        ("DictVectorizer", {"int64_vocabulary": [1]}, "not supported: ai.onnx.ml.DictVectorizer"),
        ("Normalizer", {"norm": "L3"}, "norm L3"),
    ],
)
def test_refusals(operator: str, attributes: dict[str, Any], reason: str) -> None:
    with pytest.raises((Unsupported, NotImplementedError), match=reason):
        network_of(model(operator, WHOLE, [FLOAT], **attributes))(torch.from_numpy(WHOLE))


def test_extraction_and_pass_through() -> None:
    x = torch.arange(6.0).reshape(2, 3)
    assert array_feature_extractor(x, torch.tensor([[2.0, 0.0]])).tolist() == [[2, 0], [5, 3]]
    assert array_feature_extractor(x[0], torch.tensor([2, 0])).tolist() == [[2, 0]]
    assert zip_map(x, classlabels_int64s=(1, 2, 3)) is x
    assert binarizer(torch.tensor([1, 5]), threshold=2.0).tolist() == [0, 1]
