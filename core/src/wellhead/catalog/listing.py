"""Filtering, sorting and paging of data sources."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from wellhead import clock
from wellhead.model.texts import name_key
from wellhead.storage.selection import Chosen, Position, Selection, SortKey
from wellhead.storage.stored import StoredDataSource

SORT_FIELDS = ("name", "type", "created_at", "updated_at")
DEFAULT_LIMIT = 50
MAX_LIMIT = 200
LABEL_FILTER = re.compile(r"([A-Za-z0-9._/-]{1,63})(?::(.{0,200}))?", re.DOTALL)
TEXT_FILTER = re.compile(r".{3,200}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What to list.

    Attributes:
        types: Types, any of which will do; all if empty.
        labels: Labels, all of which a data source must have; a value of None stands for any.
        name: The exact name, by the rule for names.
        text: A part of the name or the description, in any case.
        states: States, any of which will do; all if empty.
        health: Statuses of the newest result, any of which will do; `none` for none; all if empty.
        created: Not before the first instant and not after the second.
        updated: As `created`, for the last change.
        sort: Fields to sort by, each with True for descending; then by name and id.
        limit: The most items of a page; the API allows 1 to 200.
        after: Where the page begins, `next` of the page before; None for the first.
    """

    types: tuple[str, ...] = ()
    labels: tuple[tuple[str, str | None], ...] = ()
    name: str | None = None
    text: str | None = None
    states: tuple[str, ...] = ()
    health: tuple[str, ...] = ()
    created: tuple[datetime | None, datetime | None] = (None, None)
    updated: tuple[datetime | None, datetime | None] = (None, None)
    sort: tuple[SortKey, ...] = ()
    limit: int = DEFAULT_LIMIT
    after: Position | None = None

    @property
    def about(self) -> str:
        """What the list is of, whatever the page: its filters and its order."""
        return repr(replace(self, after=None, limit=DEFAULT_LIMIT))


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list.

    Attributes:
        texts: The data sources as they are read, each as the bytes of a JSON object.
        next: Where the next page begins; None if this is the last.
        total: How many data sources there are on all pages.
    """

    texts: Sequence[bytes]
    next: Position | None
    total: int

    @property
    def items(self) -> Sequence[dict[str, Any]]:
        """The data sources as they are read."""
        return [json.loads(text) for text in self.texts]

    def as_document(self) -> dict[str, Any]:
        """Return the page as the API shows it, without a cursor: whoever gets this asks for as much as they want."""
        return {"items": self.items, "next": None, "total": self.total}

    def as_json(self, cursor: str | None) -> bytes:
        """Return the page as the API sends it.

        Args:
            cursor: That of the next page, if there is one.
        """
        following = b"null" if cursor is None else b'"%b"' % cursor.encode("ascii")
        return b'{"items":[%b],"next":%b,"total":%d}' % (b",".join(self.texts), following, self.total)


def selection_of(query: ListQuery) -> Selection:
    """Return what a store has to look for to answer a query."""
    return Selection(
        types=query.types,
        labels=query.labels,
        name=None if query.name is None else name_key(query.name),
        text=None if query.text is None else name_key(query.text),
        states=query.states,
        health=query.health,
        created=query.created,
        updated=query.updated,
        sort=query.sort,
        limit=query.limit,
        after=query.after,
    )


def page_from(chosen: Chosen) -> Page:
    """Return the page that a store found."""
    return Page(chosen.items, chosen.next, chosen.total)


def page_of(found: Iterable[StoredDataSource], query: ListQuery) -> Page:
    """Return one page of the data sources that a query asks for, by looking at all there are."""
    chosen = [item for item in found if matches(item, query)]
    chosen.sort(key=_tie_break)
    for field, descending in reversed(query.sort):
        chosen.sort(key=partial(_sort_value, field=field), reverse=descending)
    start = 0 if query.after is None else _place_after(chosen, query.after, query.sort)
    shown = chosen[start : start + query.limit]
    is_last = start + query.limit >= len(chosen)
    texts = [json.dumps(item.as_document(), ensure_ascii=False, separators=(",", ":")).encode() for item in shown]
    return Page(texts, None if is_last else position_of(shown[-1], query.sort), len(chosen))


def matches(item: StoredDataSource, query: ListQuery) -> bool:
    """Tell whether a query's filters ask for a data source."""
    record = item.record
    labels = record.labels if record else {}
    return (
        (not query.types or item.type in query.types)
        and (not query.states or item.state in query.states)
        and (not query.health or (item.health or {}).get("status", "none") in query.health)
        and (query.name is None or name_key(item.name or "") == name_key(query.name))
        and (query.text is None or _mentions(item, name_key(query.text)))
        and all(key in labels and value in {None, labels[key]} for key, value in query.labels)
        and _between(query.created, record.created_at if record else None)
        and _between(query.updated, record.updated_at if record else None)
    )


def _mentions(item: StoredDataSource, wanted: str) -> bool:
    texts = (item.name, item.record.description if item.record else None)
    return any(wanted in name_key(text) for text in texts if text)


def _between(limits: tuple[datetime | None, datetime | None], text: str | None) -> bool:
    if limits == (None, None):
        return True
    if text is None:
        return False
    instant = clock.from_text(text)
    return (limits[0] is None or instant >= limits[0]) and (limits[1] is None or instant <= limits[1])


def position_of(item: StoredDataSource, sort: Sequence[SortKey]) -> Position:
    """Return where an item stands in a list that is sorted in some way."""
    return Position(tuple(_sort_value(item, field) for field, _ in sort), *_tie_break(item))


def _place_after(items: Sequence[StoredDataSource], position: Position, sort: Sequence[SortKey]) -> int:
    """Return how many of the sorted items come before or at a position."""
    low, high = 0, len(items)
    while low < high:
        middle = (low + high) // 2
        is_before = _is_at_or_before(items[middle], position, sort)
        low, high = (middle + 1, high) if is_before else (low, middle)
    return low


def _is_at_or_before(item: StoredDataSource, position: Position, sort: Sequence[SortKey]) -> bool:
    for (field, descending), value in zip(sort, position.values, strict=True):
        own = _sort_value(item, field)
        if own != value:
            return (own > value) if descending else (own < value)
    return _tie_break(item) <= (position.name, position.id)


def _tie_break(item: StoredDataSource) -> tuple[str, str]:
    return name_key(item.name or ""), item.id


def _sort_value(item: StoredDataSource, field: str) -> str:
    if field == "name":
        return name_key(item.name or "")
    if field == "type":
        return item.type or ""
    return str(getattr(item.record, field)) if item.record is not None else ""
