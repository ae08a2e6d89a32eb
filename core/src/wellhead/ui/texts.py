"""What is written in words for people: how long ago, how long it took, what stands for a type without an icon."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import Any

from wellhead import clock
from wellhead.model.secret import SecretFacts

HEALTH = {
    "passed": "Works",
    "warning": "Works, with warnings",
    "failed": "Fails",
    "timeout": "Does not answer",
    "error": "Plugin failed",
    "not_supported": "Cannot be validated",
    "none": "Not validated",
}
STATES = {
    "ok": "OK",
    "invalid": "Does not fit its type",
    "secret_unavailable": "Secrets unavailable",
    "type_unavailable": "Type not installed",
    "newer_format": "Written by a newer version",
    "corrupt": "Damaged",
    "unreadable": "Cannot be read",
    "gone": "Deleted meanwhile",
}

NOTICES = {
    "deleted": "The data source was deleted, with its history and health.",
    "rolled_back": "The former revision was restored, as a new revision.",
    "validated": "The data source was validated. What came of it is below.",
    "broken_off": "The validation was broken off. Try again in a moment.",
    "nothing_chosen": "Nothing was validated: choose data sources first.",
}
"""What pages say once something was done, by the code in their address: never a text that comes from there."""

_STEPS = ((60, "second"), (60, "minute"), (24, "hour"), (30, "day"), (12, "month"))
_JUST_NOW = 5
_SECOND = 1000


def ago(instant: str, now: datetime | None = None) -> str:
    """Say how long ago an instant (RFC 3339) is: `just now`, `3 minutes ago`; what is none is left as it is."""
    try:
        count = int(((now or clock.now()) - clock.from_text(instant)).total_seconds())
    except ValueError:
        return instant
    if count < _JUST_NOW:
        return "just now"
    for size, unit in _STEPS:
        if count < size:
            return _counted(count, unit)
        count //= size
    return _counted(count, "year")


def exact(instant: str) -> str:
    """Write an instant (RFC 3339) for people: `2026-11-26 17:43:31 UTC`; what is none is left as it is."""
    try:
        return f"{clock.from_text(instant):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return instant


def milliseconds(duration: float) -> str:
    """Write a duration: `12 ms`, `1.4 s`."""
    return f"{duration:.0f} ms" if duration < _SECOND else f"{duration / _SECOND:.1f} s"


def initials(title: str) -> str:
    """Return two letters that stand for a title that has no icon."""
    words = title.split()
    return ("".join(word[0] for word in words[:2]) if len(words) > 1 else title[:2]).upper()


def in_short(value: Any) -> str:
    """Write a JSON value for people who compare two; of a secret, that it is set."""
    if isinstance(value, Mapping):
        if SecretFacts.is_document(value):
            return f"a reference: {value['ref']}" if "ref" in value else f"set in revision {value['set_in_revision']}"
        return "\n".join(f"{key}: {in_short(inner)}" for key, inner in value.items()) or "none"
    if isinstance(value, list):
        return "\n".join(map(in_short, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value in {None, ""} else str(value)


def marked(text: str) -> str:
    """Write a text whose backticks mark code as HTML."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}{'' if count == 1 else 's'} ago"
