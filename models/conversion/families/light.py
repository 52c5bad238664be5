"""The old networks that ship with onnx: real graphs of 2017, with weights that are drawn when they are run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from . import Recipe


def models() -> Iterator[tuple[str, Recipe]]:
    """AlexNet, DenseNet, Inception 1 and 2, ResNet, ShuffleNet, SqueezeNet, VGG and ZFNet."""
    from onnx.backend.test.loader import DATA_DIR

    for path in sorted(Path(DATA_DIR, "light").glob("*.onnx")):
        yield path.stem, partial(_copy, path)


def _copy(source: Path, path: str) -> None:
    shutil.copyfile(source, path)
