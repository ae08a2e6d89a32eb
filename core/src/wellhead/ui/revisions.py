"""The revisions of a data source, as people read them: when each was made, by whom, and what it changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class MadeRevision:
    """One revision that is kept.

    Attributes:
        number: Its number.
        at: When it was made (RFC 3339); None where that is not kept.
        by: Who made it; None where nobody knows.
        changed: The names of the fields that it changed.
        is_current: Whether it is what the data source is now.
        is_first: Whether it is the one that the data source began with.
    """

    number: int
    at: str | None
    by: str | None
    changed: Sequence[str]
    is_current: bool
    is_first: bool


def revisions_of(source: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> list[MadeRevision]:
    """Return the revisions, newest first.

    The API tells of each former revision when, by whom and in what it was changed: that is how the next one was made.

    Args:
        source: The data source.
        history: The items of its history.
    """
    if source["revision"] is None:
        return []
    ends = {item["revision"]: item for item in history}
    numbers = sorted({source["revision"], *ends}, reverse=True)
    return [_made(source, number, ends.get(number - 1)) for number in numbers]


def changed_since(history: Sequence[Mapping[str, Any]], revision: int) -> list[str]:
    """Return the names of the fields that were changed after a revision was made, sorted."""
    return sorted({name for item in history if item["revision"] >= revision for name in item["changed"]})


def _made(source: Mapping[str, Any], number: int, former: Mapping[str, Any] | None) -> MadeRevision:
    at, by, changed = (former["at"], former["by"], former["changed"]) if former is not None else (None, None, ())
    is_current, is_first = number == source["revision"], number == 1
    if at is None:
        at = source["created_at"] if is_first else source["updated_at"] if is_current else None
    return MadeRevision(number, at, by, tuple(changed), is_current, is_first)
