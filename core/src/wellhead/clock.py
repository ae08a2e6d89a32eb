"""Instants as Wellhead writes them: UTC, RFC 3339, milliseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

_RFC_3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:]{8}([.][0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})")


def now() -> datetime:
    """Return the present instant in UTC, cut to milliseconds."""
    instant = datetime.now(UTC)
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def to_text(instant: datetime) -> str:
    """Write an instant, such as `2026-11-23T08:15:00.120Z` (RFC 3339)."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@lru_cache(maxsize=1024)
def from_text(text: str) -> datetime:
    """Read an instant with its offset (RFC 3339).

    Raises:
        ValueError: The text is not an instant, has no offset, or lies outside of the years 1 to 9999 in UTC.
    """
    if not _RFC_3339.fullmatch(text):
        raise ValueError("not an instant with an offset, such as Z")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError:
        raise ValueError("the instant is out of range") from None
