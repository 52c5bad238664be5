"""Which settings a project's file may make: it is found by itself, so it may be from the author of a hostile model."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from ...converters.messages import one_line
from ..config_files import ConfigFile, Origin
from ..errors import OptionError

__all__ = ["Trust", "check_trust", "told", "trust_in"]


class Trust(Enum):
    """What is done with a setting of a project's file."""

    TAKEN = "taken"
    TOLD = "told"
    INSIDE = "inside"
    REFUSED = "refused"


_TAKEN = (
    "all", "arch", "classes", "device", "format", "input-shape", "quiet", "sort", "workers",
)  # fmt: skip
_TOLD = (
    "allow-inconclusive", "also", "bgr", "calibration", "check", "data", "detector", "exit-zero", "fail-on",
    "fail-on-finding", "inputs", "label", "layout", "limit", "manifest", "max-seconds", "mean", "measure", "method",
    "model", "policy", "range", "rounds", "samples", "scores", "seed", "since", "std", "tolerance", "training-data",
    "trigger",
)  # fmt: skip
_INSIDE = ("output", "store")
_WORDS = {
    **dict.fromkeys(_TAKEN, Trust.TAKEN),
    **dict.fromkeys(_TOLD, Trust.TOLD),
    **dict.fromkeys(_INSIDE, Trust.INSIDE),
}


def trust_in(key: str) -> Trust:
    """What is done with a flag in a project's file; what nobody has thought about is refused."""
    return _WORDS.get(key, Trust.REFUSED)


def told(key: str) -> bool:
    """Whether a person should know that a project's file sets this: it can change what is found, or what fails."""
    return trust_in(key) is not Trust.TAKEN


def check_trust(file: ConfigFile, key: str, where: str, value: object) -> None:
    """Refuse what a project's file must not set.

    Raises:
        OptionError: it would weaken the sandbox, load code, use other machines, or write outside its own folder.
    """
    if file.origin is not Origin.PROJECT:
        return
    if trust_in(key) is Trust.REFUSED:
        raise OptionError(
            f"{where}: not taken from a project's file, which may be a stranger's; "
            f"use the flag, your own configuration, or --config {one_line(file.path)}"
        )
    if trust_in(key) is Trust.INSIDE and not Path(str(value)).resolve().is_relative_to(file.folder.resolve()):
        raise OptionError(f"{where}: a project's file may only have things written inside its own folder; use the flag")
