"""The files of a witness: the picture before and after, and the input as the model takes it."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..witness import Witness

__all__ = ["gate_name", "witness_files"]


def gate_name(index: int) -> str:
    """What the files of the gate of this index begin with."""
    return f"gate{index}"


def witness_files(witness: Witness) -> dict[str, tuple[str, bytes]]:
    """Name -> suffix and content: "witness" and "before" as pictures, "witness-input" as an array (1, ...)."""
    array = BytesIO()
    np.save(array, witness.input[None])
    return {
        "witness": (".png", _png(witness.picture)),
        "before": (".png", _png(witness.before)),
        "witness-input": (".npy", array.getvalue()),
    }


def _png(picture: NDArray[np.float32]) -> bytes:
    """A picture (C, H, W) in [0, 1]; of one that is neither grey nor in colours, the first channel."""
    channels = picture if len(picture) == 3 else picture[:1]
    shown = np.rint(channels.transpose(1, 2, 0) * 255).astype(np.uint8)
    file = BytesIO()
    Image.fromarray(shown[..., 0] if shown.shape[2] == 1 else shown).save(file, format="PNG")
    return file.getvalue()
