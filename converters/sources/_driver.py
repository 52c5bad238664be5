"""One conversion: find the framework -> convert -> check -> compare with the source -> write, or write nothing."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ModelError, OnnxrayError
from ..identity import digest
from ..limits import MAX_BYTES
from ..messages import one_line
from . import NO_OPTIONS, ConversionOptions, Converted, Framework
from ._find import accepted, find
from ._parity import held_against
from ._quiet import quiet

if TYPE_CHECKING:
    from onnx import ModelProto

    from ..facts import ModelFacts
    from ..parity import Parity

__all__ = ["ConversionSummary", "checked_message", "convert", "digest", "write_checked"]


@dataclass(frozen=True)
class ConversionSummary:
    """What was converted, and how far the result is from its source.

    Attributes:
        source: as given.
        framework: its format, such as "PyTorch exported program"; for objects in Python, their framework's name.
        exporter: who wrote the ONNX message, with version.
        facts: the ONNX file's identity and signature, its path the one that was written.
        parity: onnxruntime against the source's own predictions; None where the source cannot be run.
        notes: what the user should know, one line each.
    """

    source: str
    framework: str
    exporter: str
    facts: ModelFacts
    parity: Parity | None
    notes: tuple[str, ...]

    def told(self) -> str:
        """Return what it was converted from, by whom, and how it compares, in one line."""
        if self.parity is None:
            how = "not compared with its own predictions"
        else:
            how = f"within {self.parity.relative:.1e} of its own predictions on {self.parity.inputs} inputs"
        return one_line(f"{self.framework}, by {self.exporter}; {how}")


def convert(
    source: str | os.PathLike[str], out: str | os.PathLike[str], options: ConversionOptions = NO_OPTIONS
) -> ConversionSummary:
    """Convert a model file of another framework to ONNX; the file is written only if it predicts the same.

    Args:
        source: a file, or a folder for formats that are one; never modified.
        out: the ONNX file; replaced if it exists.
        options: what the file does not say about itself.

    Raises:
        Refused: the file could run code of its own when it is loaded.
        MissingExtra: a package is missing; with the line that installs it.
        NotAClassifier: the result has not the inputs and outputs of a classifier.
        ModelError: not a known format, damaged, not convertible, or the result does not predict the same.
    """
    path = Path(source)
    if not os.path.exists(path):
        raise ModelError(f"{path}: there is no such file or folder; check the path")
    framework = find(path)
    if framework is None:
        what = "it is ONNX already" if path.suffix.lower() == ".onnx" else f"expected one of: {accepted()}"
        raise ModelError(f"{path}: not a format that can be converted; {what}")
    return write_checked(_converted(framework, path, options), framework.name, str(path), Path(out), options)


def _converted(framework: Framework, path: Path, options: ConversionOptions) -> Converted:
    try:
        with quiet():
            return framework.convert(path, options)
    except OnnxrayError:
        raise
    except Exception as error:  # a foreign framework may raise anything
        raise ModelError(
            f"{path}: {framework.name} could not be converted: {type(error).__name__}: {one_line(error)}"
        ) from error


def write_checked(
    converted: Converted, framework: str, source: str, out: Path, options: ConversionOptions = NO_OPTIONS
) -> ConversionSummary:
    """Check a converted message, compare it with its source, then write it; see `convert`."""
    if converted.model.ByteSize() > MAX_BYTES:
        raise ModelError(f"{source}: larger than 2 GiB as ONNX, which one file cannot hold")
    temporary = _written(converted.model.SerializeToString(), out)
    try:
        facts, parity = _checked(converted, temporary, source, options)
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)
    facts = replace(facts, path=str(out))
    return ConversionSummary(source, framework, converted.exporter, facts, parity, _notes(converted, facts))


def checked_message(converted: Converted, source: str, options: ConversionOptions) -> ModelProto:
    """Check a converted message and compare it with its source; for models in Python, which no file holds."""
    with tempfile.TemporaryDirectory() as folder:
        write_checked(converted, source, source, Path(folder) / "model.onnx", options)
    return converted.model


def _checked(
    converted: Converted, file: Path, source: str, options: ConversionOptions
) -> tuple[ModelFacts, Parity | None]:
    from ..model import open_model

    try:
        model = open_model(file)
        if converted.predict is None:
            return model.facts, None
        with quiet():
            return model.facts, held_against(converted.predict, model, converted.shape, options.samples, source)
    except OnnxrayError as error:
        raise type(error)(str(error).replace(str(file), f"{source} (as ONNX)")) from None


def _written(content: bytes, out: Path) -> Path:
    """A new file beside `out`, so that moving it there is one step."""
    try:
        handle, name = tempfile.mkstemp(suffix=".onnx", prefix=".onnxray-", dir=out.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(name, 0o666 & ~_umask())
    except OSError as error:
        raise OnnxrayError(f"{out}: cannot be written ({error.strerror or error}); choose another folder") from None
    return Path(name)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _notes(converted: Converted, facts: ModelFacts) -> tuple[str, ...]:
    own = list(converted.notes)
    if facts.input.shape[0] is not None:
        own.append(f"the batch axis is fixed at {facts.input.shape[0]}, as in the source")
    if converted.predict is None:
        own.append("the source could not be run, so that its predictions were not compared")
    return tuple(own)
