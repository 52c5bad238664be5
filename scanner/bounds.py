"""Bounds of a method's options: what lies outside is refused when it is given, not found out while it runs."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["require_between"]


def require_between(method: object, least: Mapping[str, float], most: Mapping[str, float]) -> None:
    """Refuse options outside their bounds, which are by name and themselves allowed; what is no number lies outside.

    Raises:
        ValueError: naming the option, the bound and the value.
    """
    for name, bound in least.items():
        if not getattr(method, name) >= bound:
            raise ValueError(f"expected {name} of at least {bound}, got {getattr(method, name)}")
    for name, bound in most.items():
        if not getattr(method, name) <= bound:
            raise ValueError(f"expected {name} of at most {bound}, got {getattr(method, name)}")
