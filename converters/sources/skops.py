"""scikit-learn in skops files, the safe form of its models."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from ..errors import ModelError
from ..messages import one_line
from . import ConversionOptions, Converted, Framework, Refused, require
from ._pickles import entries

_TRUSTABLE = "sklearn."  # anything else may be any function of any package
_SHOWN = 5


class Skops(Framework):
    """skops files of which every type is known to be harmless: those that skops trusts itself, and `--trust`."""

    name = "scikit-learn model in a skops file"
    suffixes = (".skops",)
    extra = "sklearn"

    def recognises(self, path: Path) -> bool:
        """By the suffix, or by its schema in an archive."""
        return (path.suffix.lower() == ".skops" and path.is_file()) or "schema.json" in entries(path)

    def convert(self, path: Path, options: ConversionOptions) -> Converted:
        """Refuse types that are not trusted, load the rest, export it."""
        require("skl2onnx", self.extra)
        estimator = _loaded(path, options.trust, require("skops.io", self.extra))
        from ._sklearn import converted_estimator

        features = options.input_shape[-1] if options.input_shape else None
        return converted_estimator(estimator, features, str(path))


def _loaded(path: Path, trust: tuple[str, ...], skops_io: Any) -> Any:
    try:
        unknown = sorted(set(skops_io.get_untrusted_types(file=path)) - set(trust))
        _require_trusted(path, unknown, trust)
        return skops_io.load(path, trusted=list(trust))
    except Refused:
        raise
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, OSError, AttributeError, ImportError) as error:
        raise ModelError(
            f"{path}: not readable as a skops file: {type(error).__name__}: {one_line(error, 160)}"
        ) from None


def _require_trusted(path: Path, unknown: list[str], trust: tuple[str, ...]) -> None:
    foreign = [name for name in (*unknown, *trust) if not name.startswith(_TRUSTABLE)]
    if not unknown and not foreign:
        return
    shown = one_line(", ".join((foreign or unknown)[:_SHOWN]), 200)
    if foreign:
        remedy = "convert the estimator in the program that made it, with onnxray.converters.sources.from_sklearn"
    else:
        remedy = f"if you trust the file, add {' '.join(f'--trust {one_line(name, 80)}' for name in unknown[:_SHOWN])}"
    raise Refused(f"{path}: refused: it holds types that skops does not know to be harmless ({shown}); {remedy}")
