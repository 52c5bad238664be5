"""Support vector machines: onnxruntime's scores for every kernel and transform, and exact gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from onnx import ModelProto, TensorProto, helper
from onnxray.converters.operators.svm import SVMClassifier
from onnxray.converters.to_torch import network_of

FEATURES = 4
RNG = np.random.default_rng(1)
X = RNG.standard_normal((30, FEATURES)).astype(np.float32)
OUTPUTS: dict[str, Any] = {"label": TensorProto.INT64, "scores": TensorProto.FLOAT}


def model(operator: str, outputs: dict[str, Any], **attributes: Any) -> ModelProto:
    node = helper.make_node(operator, ["x"], list(outputs), domain="ai.onnx.ml", **attributes)
    results = [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items()]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, FEATURES])]
    versions = [helper.make_opsetid("ai.onnx.ml", 3), helper.make_opsetid("", 17)]
    return helper.make_model(helper.make_graph([node], "g", inputs, results), opset_imports=versions, ir_version=9)


def agree(operator: str, outputs: dict[str, Any], **attributes: Any) -> None:
    proto = model(operator, outputs, **attributes)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    for value, want in zip(network_of(proto)(torch.from_numpy(X)), session.run(None, {"x": X}), strict=True):
        assert value.numpy().dtype == want.dtype
        np.testing.assert_allclose(value.numpy(), want, rtol=1e-4, atol=1e-5)


def pairs(classes: int, probabilities: bool) -> dict[str, Any]:
    """Attributes of a random machine with few support vectors."""
    rng = np.random.default_rng(classes)
    per_class, count = [3, 2, 4, 1][:classes], classes * (classes - 1) // 2
    vectors = sum(per_class)
    attributes: dict[str, Any] = {
        "coefficients": rng.standard_normal((classes - 1) * vectors).tolist(), "vectors_per_class": per_class,
        "support_vectors": rng.standard_normal(vectors * FEATURES).tolist(), "rho": rng.standard_normal(count).tolist(),
        "classlabels_ints": [5 * i + 2 for i in range(classes)],
    }  # fmt: skip
    if probabilities:
        attributes.update(prob_a=[-1.0 - 0.2 * i for i in range(count)], prob_b=[0.1 * i for i in range(count)])
    return attributes


@pytest.mark.parametrize("kernel", ["LINEAR", "POLY", "RBF", "SIGMOID"])
@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("probabilities", [True, False])
def test_classifier(kernel: str, classes: int, probabilities: bool) -> None:
    settings = {"kernel_type": kernel, "kernel_params": [0.3, 0.2, 2.0], **pairs(classes, probabilities)}
    for transform in ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"):
        agree("SVMClassifier", OUTPUTS, post_transform=transform, **settings)


@pytest.mark.parametrize("classes", [2, 3])
def test_linear_classifier(classes: int) -> None:
    coefficients = RNG.standard_normal(classes * FEATURES).tolist()
    labels = {"classlabels_ints": list(range(3, 3 + classes))}
    agree("SVMClassifier", OUTPUTS, coefficients=coefficients, rho=[0.3], kernel_params=[0.0, 0.0, 0.0], **labels)


@pytest.mark.parametrize("one_class", [0, 1])
def test_regressor(one_class: int) -> None:
    settings: dict[str, Any] = {
        "n_supports": 5, "support_vectors": np.linspace(-1, 1, 5 * FEATURES).tolist(), "rho": [-0.3],
        "coefficients": [0.5, -1.0, 1.5, 0.3, -0.2], "one_class": one_class,
    }  # fmt: skip
    for kernel in ("LINEAR", "POLY", "RBF", "SIGMOID"):
        agree("SVMRegressor", {"y": TensorProto.FLOAT}, kernel_type=kernel, kernel_params=[0.3, 0.2, 2.0], **settings)


@pytest.mark.parametrize("probabilities", [True, False])
def test_the_gradient_is_that_of_finite_differences(probabilities: bool) -> None:
    attributes: dict[str, Any] = {key: tuple(value) for key, value in pairs(3, probabilities).items()}
    machine = SVMClassifier(kernel_type="RBF", kernel_params=(0.3, 0.0, 0.0), **attributes)
    x = torch.from_numpy(X[:4]).requires_grad_()
    (gradient,) = torch.autograd.grad(machine(x)[1][:, 1].sum(), x)
    step = 1e-2
    for feature in range(FEATURES):
        moved = torch.zeros(FEATURES)
        moved[feature] = step
        with torch.no_grad():
            difference = (machine(x + moved)[1] - machine(x - moved)[1])[:, 1] / (2 * step)
        torch.testing.assert_close(gradient[:, feature], difference, rtol=0.05, atol=2e-3)


def test_an_unknown_kernel_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="kernel CUBIC"):
        SVMClassifier(coefficients=(1.0,), kernel_type="CUBIC")
