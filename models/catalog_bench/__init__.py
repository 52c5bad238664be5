"""A catalog of many models, some broken, some hostile, scanned by a command line that is killed again and again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Check", "Expected"]


@dataclass(frozen=True)
class Expected:
    """What a scan of a made catalog has to account for.

    Attributes:
        names: every name -> the code under which it is not scanned; "" for what is scanned.
        jobs: how many different models, or models with different options, there are to scan.
        plain: those names that are sound models in files of their own, each of other bytes.
        never_clean: names of broken and hostile files; whatever becomes of them, they may not be called clean.
        elsewhere: folders that hold all that is not plain, nor equal to it, relative to the catalog's parent.
    """

    names: Mapping[str, str]
    jobs: int
    plain: tuple[str, ...]
    never_clean: tuple[str, ...]
    elsewhere: tuple[str, ...]


@dataclass(frozen=True)
class Check:
    """One thing that has to hold after the kills.

    Attributes:
        what: in a few words.
        wrong: what speaks against it, a line each; empty if it holds.
        seen: what was looked at, such as "300 names".
    """

    what: str
    wrong: tuple[str, ...]
    seen: str
