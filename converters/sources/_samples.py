"""Real inputs for the comparison, from a NumPy file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OnnxrayError
from ..messages import one_line

__all__ = ["read_samples"]


def read_samples(path: Path, limit: int = 64) -> NDArray[Any]:
    """Return the first inputs (N, ...) of an .npy file, or of x or the only array of an .npz file; never unpickles.

    Raises:
        OnnxrayError: it cannot be read, or holds no numbers.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.ndarray):
            with loaded as arrays:
                loaded = arrays["x" if "x" in arrays or len(arrays.files) != 1 else arrays.files[0]]
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise OnnxrayError(
            f"{path}: expected an .npy file of inputs, or an .npz file with x: {one_line(error)}"
        ) from None
    if loaded.ndim < 2 or not len(loaded) or loaded.dtype.kind not in "fiub":
        raise OnnxrayError(f"{path}: expected numbers of shape (N, ...), got {loaded.dtype} {loaded.shape}")
    samples: NDArray[Any] = loaded[:limit]
    return samples
