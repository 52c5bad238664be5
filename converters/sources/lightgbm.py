"""LightGBM, in its text files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import ModelError
from ..messages import one_line
from . import ConversionOptions, Converted, Framework, require
from ._pickles import starts_with


class LightGBM(Framework):
    """Boosters that were saved with ``save_model`` and tell classes apart."""

    name = "LightGBM model"
    suffixes = (".txt",)
    extra = "lightgbm"

    def recognises(self, path: Path) -> bool:
        """By the first line."""
        return starts_with(path, b"tree\n", b"tree\r\n")

    def convert(self, path: Path, options: ConversionOptions) -> Converted:
        """Load the booster, which holds no code, and export it."""
        from ._boosting import converted_booster, paired

        booster = _loaded(path, require("lightgbm", self.extra))
        model, exporter = converted_booster(path, "convert_lightgbm", booster, booster.num_feature(), self.extra)
        return Converted(model, lambda inputs: paired(booster.predict(inputs)), exporter)


def _loaded(path: Path, lightgbm: Any) -> Any:
    try:
        return lightgbm.Booster(model_file=path)
    except Exception as error:  # noqa: BLE001 - one line of its message is enough
        raise ModelError(f"{path}: LightGBM cannot load it: {one_line(error, 160)}") from None
