"""What is known about a model file without running it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["ModelFacts", "TensorSpec", "shown"]


def shown(shape: Sequence[int | None]) -> str:
    """Return a shape as text, with ? for a free axis."""
    return "(" + ", ".join("?" if size is None else str(size) for size in shape) + ")"


@dataclass(frozen=True)
class TensorSpec:
    """A graph's input or output.

    Attributes:
        name: as in the file.
        shape: one entry an axis, batch first; None where the file leaves it free.
        dtype: numpy's name, such as "float32" or "uint8".
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True)
class ModelFacts:
    """Identity and signature of a classifier.

    Attributes:
        path: as given by the caller.
        sha256: of the file's bytes, followed by those of its external data files where it has any.
        size_bytes: size of all that was hashed.
        producer: name and version of the program that wrote the file; "" if it does not say.
        opset: version of the default operator set; 0 if the file imports none.
        input: the one input.
        output: the one output, as the file declares it.
        classes: K, at least 2.
        head: the operators between logits and output that the twin leaves out, in order of execution, such as
            ("Softmax",); () when the output itself is taken for logits.
        converted: for a file of another framework, from what and by whom it was converted; "" for an ONNX file. Path,
            sha256 and size are those of the file itself, all else of its conversion.
    """

    path: str
    sha256: str
    size_bytes: int
    producer: str
    opset: int
    input: TensorSpec
    output: TensorSpec
    classes: int
    head: tuple[str, ...]
    converted: str = ""
