"""What the user knows better about the model's input than the search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .axes import LAYOUTS
from .conventions import Convention
from .errors import OptionError
from .layouts import Frame

__all__ = ["DomainOverrides"]


@dataclass(frozen=True)
class DomainOverrides:
    """Each given field narrows the search; None leaves it to the search.

    Attributes:
        layout: one of ``axes.LAYOUTS``.
        input_range: "LOW,HIGH", what black and white become: "0,1", "0,255", "-1,1" ("1,0" inverts).
        mean, std: one value or one per channel, in the model's channel order; they apply after ``input_range``, which
            then has to start at 0. Without a range, both 0..1 and 0..255 are tried.
        bgr: whether the model wants blue first.

    Raises:
        OptionError: a value that is impossible or contradicts another.
    """

    layout: str | None = None
    input_range: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    bgr: bool | None = None

    def __post_init__(self) -> None:
        if self.layout is not None and self.layout not in LAYOUTS:
            raise OptionError(f"expected a layout among {', '.join(LAYOUTS)}, got {self.layout!r}")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values is not None and (len(values) not in (1, 3) or not all(map(math.isfinite, values))):
                raise OptionError(f"expected 1 or 3 finite numbers as {name}, got {values}")
        if self.std is not None and min(self.std) <= 0:
            raise OptionError(f"expected a std above 0, got {self.std}")
        low, _ = self._range() or (0.0, 1.0)
        if low != 0 and self._normalised:
            raise OptionError(
                f"expected an input range that starts at 0 beside a mean or std, got {self.input_range!r}"
            )

    def __str__(self) -> str:
        """The given ones as the flags of the command line."""
        flags = {"--layout": self.layout, "--range": self.input_range, "--mean": self.mean, "--std": self.std}
        words = [f"{flag} {_listed(value)}" for flag, value in flags.items() if value is not None]
        if self.bgr is not None:
            words.append("--bgr" if self.bgr else "--rgb")
        return " ".join(words)

    @property
    def fixed(self) -> bool:
        """Whether the convention itself is given and not only the layout or channel order."""
        return self.input_range is not None or self._normalised

    def frames(self, found: Sequence[Frame]) -> tuple[Frame, ...]:
        """Those readings of the input that agree with the given layout; may be none."""
        return tuple(f for f in found if self.layout in (None, f.layout))

    def conventions(self, table: Sequence[Convention], channels: int) -> tuple[Convention, ...]:
        """The given convention, or those of the table that agree with what is given; may be none."""
        if self.bgr and channels == 1:
            return ()
        table = self._given(channels) if self.fixed else tuple(table)
        if self.bgr:
            table = tuple(map(_blue_first, table))
        kept: dict[object, Convention] = {}
        for convention in table:
            if self.bgr in (None, convention.bgr):
                kept.setdefault(convention.affine, convention)
        return tuple(kept.values())

    @property
    def _normalised(self) -> bool:
        return self.mean is not None or self.std is not None

    def _range(self) -> tuple[float, float] | None:
        if self.input_range is None:
            return None
        try:
            low, high = (float(end) for end in self.input_range.split(","))
        except ValueError:
            raise OptionError(f"expected an input range LOW,HIGH such as 0,255, got {self.input_range!r}") from None
        if not math.isfinite(high - low) or low == high:
            raise OptionError(f"expected an input range of two different numbers, got {self.input_range!r}")
        return low, high

    def _given(self, channels: int) -> tuple[Convention, ...]:
        mean, std = self.mean or (0.0,), self.std or (1.0,)
        if channels not in (len(mean), 3) or channels not in (len(std), 3):
            return ()
        given = self._range()
        ranges = (given,) if given else ((0.0, 1.0), (0.0, 255.0))
        both = (self._convention(low, high, mean, std) for low, high in ranges)
        # Channel order stays open unless it is given too; the given mean is in the model's order either way.
        orders = (False, True) if channels == 3 and self.bgr is None else (bool(self.bgr),)
        return tuple(replace(c, bgr=bgr, name=f"BGR {c.name}" if bgr else c.name) for c in both for bgr in orders)

    def _convention(self, low: float, high: float, mean: tuple[float, ...], std: tuple[float, ...]) -> Convention:
        name = f"[{low:g}, {high:g}]"
        if not self._normalised:  # x * (high - low) + low
            return Convention(name, "given", scale=high - low, mean=(0.0 - low,))
        name = f"{name} - {_text(mean)} over {_text(std)}"
        return Convention(name, "given", scale=high, mean=mean, std=std)


def _blue_first(convention: Convention) -> Convention:
    """The same convention for a model that takes BGR; the channels' figures change places too."""
    if convention.bgr:
        return convention
    name = f"BGR {convention.name}"
    return replace(convention, name=name, bgr=True, mean=convention.mean[::-1], std=convention.std[::-1])


def _listed(value: str | tuple[float, ...]) -> str:
    """A flag's value as it is written on the command line."""
    return value if isinstance(value, str) else ",".join(f"{v:g}" for v in value)


def _text(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{v:g}" for v in values) + ")"
