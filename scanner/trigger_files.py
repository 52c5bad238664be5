"""Triggers in files: what a scan leaves beside its report, or what a user made."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..converters.messages import one_line
from .errors import OptionError
from .samples import Samples
from .triggers import Trigger

__all__ = ["load_triggers", "require_fitting"]

KNOWN = ("mask", "pattern", "target", "mapping")
_CLASS = re.compile(r"class(\d+)")


def load_triggers(path: Path) -> list[Trigger]:
    """Read the triggers of a file, or of every ``arrays-*class*.npz`` in a scan's report folder.

    An ``.npz`` holds ``mask`` (H, W) in [0, 1], ``pattern`` (C, H, W) in [0, 1], both in raw pictures, and ``target``,
    one whole number; without ``target`` the class is taken from the file's name, as in ``arrays-class7.npz``. In place
    of ``target``, ``mapping`` (K,) is the class that pictures of each class are moved to.

    Raises:
        OptionError: no such file, none in the folder, or other contents; says what is expected.
    """
    if path.is_dir():
        found = sorted(path.glob("arrays-*class*.npz"))
        if not found:
            raise OptionError(f"{path}: holds no arrays-class*.npz; give the folder of a scan's report, or one .npz")
        return [_load(file) for file in found]
    if not path.is_file():
        raise OptionError(f"{one_line(path)}: there is no such trigger file; give an .npz or the folder of a report")
    return [_load(path)]


def require_fitting(trigger: Trigger, samples: Samples, classes: int, file: str) -> None:
    """Check that a trigger is of the pictures' size and of a class of the model.

    Raises:
        OptionError: it is not.
    """
    expected = samples.images.shape[1:]
    if trigger.pattern.shape != expected:
        raise OptionError(f"{file}: expected a trigger for pictures {expected} (C, H, W), got {trigger.pattern.shape}")
    if trigger.mapping is not None and (len(trigger.mapping) != classes or max(trigger.mapping) >= classes):
        raise OptionError(f"{file}: its mapping is of {len(trigger.mapping)} classes, but the model has {classes}")
    if not 0 <= trigger.target < classes:
        raise OptionError(f"{file}: its target is class {trigger.target}, but the model has {classes} classes")


def _load(path: Path) -> Trigger:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            held = {name: np.asarray(arrays[name]) for name in KNOWN if name in arrays}
    except (OSError, ValueError, EOFError) as error:
        raise OptionError(f"{path}: not an .npz with mask, pattern and target: {one_line(error)}") from None
    if not {"mask", "pattern"} <= set(held):
        raise OptionError(f"{path}: expected arrays called mask (H, W) and pattern (C, H, W)")
    mask, pattern = (_unit(held[name], name, path) for name in ("mask", "pattern"))
    if mask.ndim != 2 or pattern.ndim != 3 or pattern.shape[1:] != mask.shape or pattern.shape[0] not in (1, 3):
        raise OptionError(
            f"{path}: expected a mask (H, W) and a pattern (1 or 3, H, W), got {mask.shape} and {pattern.shape}"
        )
    if "mapping" in held:
        mapping = _mapping(held["mapping"], path)
        return Trigger(mapping[0], mask, pattern, mapping=mapping)
    return Trigger(_target(held, path), mask, pattern)


def _unit(values: NDArray[np.generic], name: str, path: Path) -> NDArray[np.float32]:
    numbers = values.astype(np.float32) if values.dtype.kind in "fiub" else np.full(1, np.nan, np.float32)
    if not (numbers.size and numbers.min() >= 0 and numbers.max() <= 1):
        raise OptionError(f"{path}: expected numbers in [0, 1] in {name}; divide pixel values by 255")
    return numbers


def _mapping(held: NDArray[np.generic], path: Path) -> tuple[int, ...]:
    if held.ndim != 1 or held.size < 2 or held.dtype.kind not in "iu" or int(held.min()) < 0:
        raise OptionError(f"{path}: expected mapping to be one class for each class, whole numbers from 0")
    return tuple(int(c) for c in held)


def _target(held: dict[str, NDArray[np.generic]], path: Path) -> int:
    if "target" in held and held["target"].size == 1 and held["target"].dtype.kind in "iu":
        return int(held["target"].reshape(-1)[0])
    named = _CLASS.search(path.stem)
    if "target" in held or named is None:
        raise OptionError(f"{path}: expected target, one whole number, or a name such as arrays-class7.npz")
    return int(named[1])
