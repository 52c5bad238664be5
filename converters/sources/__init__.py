"""Into ONNX: a model in another framework's own format becomes an ONNX file that predicts the same.

One framework a file, found by its presence: a public module of this folder (no leading underscore) holds exactly one
subclass of `Framework`; nothing else has to be edited. What several of them share stands in private modules
(`_torch.py`, `_sklearn.py`); functions for models in Python (`from_torch`) are listed in `_HOME` below. To add one:

* The module imports its framework inside functions only: all modules are imported to find the one that recognises a
  path, and `onnxray --help` must not load any of them. A package that is missing is told by `require`.
* `recognises` looks at the suffix and at the first bytes; it never loads, unpickles or runs anything.
* `convert` must not run code that the file brings along. Pickles never reach it: `_pickles.py` refuses them before.
  What else a format can smuggle in (Keras' Lambda layers, custom operators) the module itself refuses, with
  `Refused`: what was found, why it is not safe, and the safe way.
* `Converted.model` has one input (N, ...) with a free batch axis and one output (N, K): logits where the source has
  them, else probabilities. Labels, ZipMaps and further outputs are cut off (`_graph.py`).
* `Converted.predict` asks the source framework itself, so that the driver can hold onnxruntime against it.
* Name the extra in ``setup.cfg`` (``[options.extras_require]``) and pin its packages in ``constraints.txt``.

The driver (`convert`, in `_driver.py`) does the rest: onnx's checker, onnxruntime, the comparison, the atomic write.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import ModelError, OnnxrayError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

    from ._driver import ConversionSummary, convert
    from ._find import find
    from ._open import load_source
    from ._samples import read_samples
    from ._sklearn import from_sklearn
    from ._torch import from_torch

__all__ = [
    "NO_OPTIONS", "ConversionOptions", "ConversionSummary", "Converted", "Framework", "MissingExtra", "Refused",
    "convert", "find", "from_sklearn", "from_torch", "load_source", "read_samples", "require",
]  # fmt: skip

_HOME = {
    "ConversionSummary": "_driver",
    "convert": "_driver",
    "find": "_find",
    "from_sklearn": "_sklearn",
    "from_torch": "_torch",
    "load_source": "_open",
    "read_samples": "_samples",
}


class Refused(ModelError):  # noqa: N818  (reads better where it is caught)
    """The file could run code of its own when it is loaded; the message says what, why, and the safe way."""


class MissingExtra(OnnxrayError):  # noqa: N818
    """A package that a conversion needs is not installed; the message holds the exact line that installs it."""


@dataclass(frozen=True, kw_only=True)
class ConversionOptions:
    """What a file does not say about itself.

    Attributes:
        arch: name of the network, for files that hold weights only, such as timm's "resnet18".
        classes: K, where the architecture leaves it open.
        input_shape: with the batch axis, such as (1, 3, 224, 224); the batch axis of the result is free all the same.
        samples: real inputs (N, ...) in the model's own domain, compared beside random ones.
        trust: types that the user vouches for, where a format lists them (skops).
    """

    arch: str | None = None
    classes: int | None = None
    input_shape: tuple[int, ...] | None = None
    trust: tuple[str, ...] = ()
    samples: NDArray[Any] | None = field(default=None, compare=False, repr=False)


NO_OPTIONS = ConversionOptions()


@dataclass(frozen=True)
class Converted:
    """What a framework's module hands to the driver.

    Attributes:
        model: the ONNX message, all weights inside: one input (N, ...), one output (N, K).
        predict: the source's own scores (N, K) for inputs (N, ...) of the ONNX file's dtype, in the same order and on
            the same scale as the ONNX output; None where the source cannot be run, which the summary then says.
        exporter: who wrote it, with version, such as "torch.onnx 2.13.0 (dynamo)".
        notes: what the user should know, one line each, such as that a fallback was taken.
        shape: one input without its batch axis, for the comparison; () takes the ONNX file's own.
    """

    model: ModelProto
    predict: Callable[[NDArray[Any]], NDArray[Any]] | None
    exporter: str
    notes: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()


class Framework(ABC):
    """Reads one format; stateless.

    Attributes:
        name: for people, such as "PyTorch exported program".
        suffixes: lower case, with the dot; shown where a path is not recognised. A folder format has () or its own.
        extra: the extra of this package that installs what `convert` needs, such as "torch-export"; "" for none.
    """

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    extra: ClassVar[str] = ""

    @abstractmethod
    def recognises(self, path: Path) -> bool:
        """Whether this is its format, from the suffix and the first bytes alone; `path` may be a folder or be gone."""

    @abstractmethod
    def convert(self, path: Path, options: ConversionOptions) -> Converted:
        """Convert the file, which `recognises` has taken.

        Raises:
            MissingExtra: a package is missing (see `require`).
            Refused: the file could run code of its own.
            ModelError: it is damaged, or cannot be converted; one line that names the file and the reason.
        """


def require(package: str, extra: str) -> Any:
    """Import an optional package.

    Args:
        package: dotted name of the module to import.
        extra: the extra of this package that installs it.

    Raises:
        MissingExtra: it is not there or cannot be imported, with the line that installs it.
    """
    try:
        return import_module(package)
    except ImportError as error:
        from ..messages import one_line

        name = package.split(".")[0]
        absent = isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] == name
        why = f"{name} is not installed" if absent else f"{package} cannot be imported ({one_line(error)})"
        raise MissingExtra(f"{why}; this conversion needs it: pip install 'onnxray[{extra}]'") from error


def __getattr__(name: str) -> Any:
    """Load what needs numpy, onnx or torch when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
