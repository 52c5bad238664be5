from pathlib import Path

import numpy as np
import pytest
from onnxray.converters import ModelError, NotAClassifier, open_model
from onnxray.converters.sources import convert

pytest.importorskip("onnxmltools")

X = np.random.default_rng(0).standard_normal((120, 5)).astype(np.float32)
THREE = X[:, :3].argmax(1)
OUTPUTS = {2: (THREE == 1).astype(int), 3: THREE}


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("suffix", [".json", ".ubj"])
def test_xgboost(tmp_path: Path, classes: int, suffix: str) -> None:
    xgboost = pytest.importorskip("xgboost")
    trees = xgboost.XGBClassifier(n_estimators=4, n_jobs=1).fit(X, OUTPUTS[classes])
    path = tmp_path / f"m{suffix}"
    trees.save_model(path)
    summary = convert(path, tmp_path / "m.onnx")
    assert summary.facts.classes == classes
    np.testing.assert_allclose(open_model(tmp_path / "m.onnx").run(X), trees.predict_proba(X), atol=1e-5)


def test_xgboost_for_numbers_is_no_classifier(tmp_path: Path) -> None:
    xgboost = pytest.importorskip("xgboost")
    xgboost.XGBRegressor(n_estimators=2, n_jobs=1).fit(X, X[:, 0]).save_model(tmp_path / "m.json")
    with pytest.raises(NotAClassifier, match="reg:squarederror"):
        convert(tmp_path / "m.json", tmp_path / "m.onnx")


def test_a_damaged_xgboost_file(tmp_path: Path) -> None:
    pytest.importorskip("xgboost")
    (tmp_path / "m.json").write_text('{"learner": {')
    with pytest.raises(ModelError, match="XGBoost cannot load it") as caught:
        convert(tmp_path / "m.json", tmp_path / "m.onnx")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("classes", [2, 3])
def test_lightgbm(tmp_path: Path, classes: int) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    trees = lightgbm.LGBMClassifier(n_estimators=4, n_jobs=1, verbose=-1).fit(X, OUTPUTS[classes])
    trees.booster_.save_model(tmp_path / "m.txt")
    assert convert(tmp_path / "m.txt", tmp_path / "m.onnx").facts.classes == classes
    np.testing.assert_allclose(open_model(tmp_path / "m.onnx").run(X), trees.predict_proba(X), atol=1e-5)


def test_lightgbm_for_numbers_is_no_classifier(tmp_path: Path) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    lightgbm.LGBMRegressor(n_estimators=2, n_jobs=1, verbose=-1).fit(X, X[:, 0]).booster_.save_model(tmp_path / "m.txt")
    with pytest.raises(NotAClassifier, match="no classifier"):
        convert(tmp_path / "m.txt", tmp_path / "m.onnx")
