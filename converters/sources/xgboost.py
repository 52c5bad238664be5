"""XGBoost, in its JSON and UBJSON files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError, NotAClassifier
from ..messages import one_line
from . import ConversionOptions, Converted, Framework, require

if TYPE_CHECKING:
    from numpy.typing import NDArray

_START = 4096  # bytes


class XGBoost(Framework):
    """Boosters that were saved with ``save_model`` and tell classes apart."""

    name = "XGBoost model"
    suffixes = (".json", ".ubj")
    extra = "xgboost"

    def recognises(self, path: Path) -> bool:
        """By the suffix and the first key."""
        if path.suffix.lower() not in self.suffixes or not path.is_file():
            return False
        with path.open("rb") as file:
            return b"learner" in file.read(_START)

    def convert(self, path: Path, options: ConversionOptions) -> Converted:
        """Load the booster, which holds no code, and export it."""
        from ._boosting import converted_booster

        xgboost = require("xgboost", self.extra)
        booster = _loaded(path, xgboost)
        objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
        if not objective.startswith(("binary:logistic", "multi:soft")):
            raise NotAClassifier(f"{path}: expected trees for classes, got the objective {one_line(objective, 60)}")
        model, exporter = converted_booster(path, "convert_xgboost", booster, booster.num_features(), self.extra)
        return Converted(model, lambda inputs: _probabilities(booster, xgboost.DMatrix(inputs)), exporter)


def _loaded(path: Path, xgboost: Any) -> Any:
    booster = xgboost.Booster()
    try:
        booster.load_model(path)
    except Exception as error:  # noqa: BLE001 - one line of its message is enough, which ends in a stack of C++
        raise ModelError(f"{path}: XGBoost cannot load it: {one_line(error, 160)}") from None
    return booster


def _probabilities(booster: Any, inputs: Any) -> NDArray[np.float64]:
    """From the margins: some objectives predict labels."""
    margins: NDArray[np.float64] = np.asarray(booster.predict(inputs, output_margin=True), np.float64)
    if margins.ndim == 1:
        margins = np.stack([np.zeros_like(margins), margins], 1)
    powers: NDArray[np.float64] = np.exp(margins - margins.max(1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(1, keepdims=True)
    return shares
