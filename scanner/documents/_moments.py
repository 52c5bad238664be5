"""When scans ended, as documents write it."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["iso", "moment"]


def moment(text: str) -> datetime | None:
    """The moment that a text in ISO 8601 means; None where it means none. Without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def iso(when: datetime) -> str:
    """To the millisecond in UTC, such as ``2026-03-04T05:06:07.000Z``."""
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
