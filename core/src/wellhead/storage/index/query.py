"""Selections as queries of the index: totals, pages, and what is counted. What each filter means is in `filters`.

A page begins where the one before ended, by its sort keys, never by counting: each part of the position is a query of
its own, that an index answers from its first row on. So the last page costs what the first one does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from zlib import crc32

from wellhead.storage.index.file import IndexUnusableError
from wellhead.storage.index.filters import filter_of, label_condition, phrase_of
from wellhead.storage.selection import Position, Selection, SortKey

# Up to this many matches are fetched and sorted; more are met soon enough on the way along an index. A text that is
# looked for on the way has to be looked for in each row, so that it pays to fetch more.
_FEW, _FEW_WITH_TEXT = 400, 4000
_MOST = 2**62
_PLACES = 500
"""Of values in one statement; SQLite allows 999 and more."""

Count = Callable[[str, tuple[Any, ...]], int]
"""Returns the number that a query counts, perhaps from before."""


class FoundRow(NamedTuple):
    """A row as a list needs it."""

    id: str
    type: str
    sealed: bool
    judged: int | None
    item: bytes | None
    name_key: str
    created_at: str
    updated_at: str

    def position(self, sort: Sequence[SortKey]) -> Position:
        """Return where it stands in a list that is sorted in some way."""
        values = {
            "name": self.name_key,
            "type": self.type,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        }
        return Position(tuple(values[name] for name, _ in sort), self.name_key, self.id)


class GroupRow(NamedTuple):
    """Rows that are the same in what is counted, and in how they were judged."""

    type: str
    sealed: bool
    judged: int | None
    state: str | None
    health: str
    size: int


def total_of(selection: Selection, count: Count) -> int:
    """Return how many rows there are, whatever the page."""
    filters = replace(selection, sort=(), limit=0, after=None)
    if filters == Selection(text=selection.text, limit=0) and selection.text is not None:
        phrase = phrase_of(selection.text)
        if phrase is not None:
            return count("SELECT count(*) FROM texts WHERE texts MATCH ?", (phrase,))
    if filters == Selection(labels=selection.labels[:1], limit=0) and selection.labels:
        return _count_label(selection.labels[0], count)
    chosen = filter_of(_rarest_first(selection, count), few=True)
    return count(f"SELECT count(*) FROM sources s WHERE {chosen.where}", tuple(chosen.values))  # noqa: S608  # places for all values


def rows_of(connection: sqlite3.Connection, selection: Selection, total: int, count: Count) -> list[FoundRow]:
    """Return the rows of a page, and one more if there are more.

    Args:
        connection: The index.
        selection: What is wanted.
        total: How many rows there are on all pages.
        count: Counts.
    """
    selection = _rarest_first(selection, count)
    wanted = min(selection.limit, _MOST) + 1
    rows: list[tuple[Any, ...]] = []
    for query, values in queries_of(selection, total):
        rows += connection.execute(query, (*values, wanted - len(rows))).fetchall()
        if len(rows) >= wanted:
            break
    items: dict[int, bytes] = {}
    for start in range(0, len(rows), _PLACES):
        items |= _items_of(connection, [row[0] for row in rows[start : start + _PLACES]])
    return [
        FoundRow(record_id, type_name, bool(sealed), judged, items.get(number), key, created, updated)
        for number, record_id, type_name, sealed, judged, key, created, updated in rows
    ]


def groups_of(connection: sqlite3.Connection, selection: Selection) -> list[GroupRow]:
    """Return how many rows there are of each kind, whatever the page; all rows are counted along one index."""
    chosen = filter_of(selection, few=True)
    columns = "s.type, s.sealed, s.judged, s.state, s.health_status"
    query = f"SELECT {columns}, count(*) FROM sources s WHERE {chosen.where} GROUP BY {columns}"  # noqa: S608  # places for all values
    return [GroupRow(kind, bool(sealed), *rest) for kind, sealed, *rest in connection.execute(query, chosen.values)]


def ids_of(connection: sqlite3.Connection, selection: Selection, group: GroupRow) -> list[str]:
    """Return the ids of the rows of one kind, whatever they were judged to be."""
    chosen = filter_of(selection, few=True)
    chosen.add("s.type = ? AND s.sealed = ? AND s.judged IS ?", group.type, group.sealed, group.judged)
    chosen.add("s.state IS ? AND s.health_status = ?", group.state, group.health)
    query = f"SELECT s.id FROM sources s WHERE {chosen.where}"  # noqa: S608  # places for all values
    return [row[0] for row in connection.execute(query, chosen.values)]


def queries_of(selection: Selection, total: int) -> Iterator[tuple[str, list[Any]]]:
    """Return the queries whose rows, one query's after the other's, are the page; each takes a limit at its end."""
    order = [*selection.sort, ("name", False), ("id", False)]
    order = [key for place, key in enumerate(order) if key[0] not in {name for name, _ in order[:place]}]
    few = total <= (_FEW if selection.text is None else _FEW_WITH_TEXT)
    by_label = len(selection.labels) > 0 and order[0] == ("name", False) and not few
    names = {"name": "l.name_key", "id": "l.id"} if by_label else {"name": "s.name_key", "id": "s.id"}
    keys = [(names.get(name, f"s.{name}"), descending) for name, descending in order]
    chosen = filter_of(selection, few=few, by_label=by_label)
    source = "labels l CROSS JOIN sources s ON s.number = l.number" if by_label else "sources s"
    columns = "s.number, s.id, s.type, s.sealed, s.judged, s.name_key, s.created_at, s.updated_at"
    sorting = ", ".join(f"{name}{' DESC' if descending else ''}" for name, descending in keys)
    for condition, values in _after(selection, keys, [name for name, _ in order]):
        where = f"{chosen.where} AND {condition}" if condition else chosen.where
        yield (
            f"SELECT {columns} FROM {source} WHERE {where} ORDER BY {sorting} LIMIT ?",  # noqa: S608  # places for all values
            [*chosen.values, *values],
        )


def _after(selection: Selection, keys: list[tuple[str, bool]], names: list[str]) -> Iterator[tuple[str, list[Any]]]:
    """Return what holds after a position, in parts: equal up to a key, and beyond in that one; the longest first."""
    if selection.after is None:
        yield "", []
        return
    given = dict(zip((name for name, _ in selection.sort), selection.after.values, strict=True))
    given |= {"name": given.get("name", selection.after.name), "id": selection.after.id}
    values = [given[name] for name in names]
    for length in range(len(keys) - 1, -1, -1):
        equal = [f"{name} = ?" for name, _ in keys[:length]]
        name, descending = keys[length]
        yield " AND ".join([*equal, f"{name} {'<' if descending else '>'} ?"]), values[: length + 1]


def _rarest_first(selection: Selection, count: Count) -> Selection:
    """Put the label first that the fewest have."""
    if len(selection.labels) < 2:  # noqa: PLR2004  # one is the rarest
        return selection
    return replace(selection, labels=tuple(sorted(selection.labels, key=lambda label: _count_label(label, count))))


def _count_label(label: tuple[str, str | None], count: Count) -> int:
    condition, values = label_condition(*label)
    return count(f"SELECT count(*) FROM labels WHERE {condition}", values)  # noqa: S608  # places for all values


def _items_of(connection: sqlite3.Connection, numbers: list[int]) -> dict[int, bytes]:
    """Return the items of rows, by their numbers, of those that have one."""
    places = ", ".join("?" * len(numbers))
    found = connection.execute(f"SELECT number, item, checksum FROM items WHERE number IN ({places})", numbers)  # noqa: S608  # places for all values
    items = {}
    for number, item, checksum in found:
        if crc32(item) != checksum:
            raise IndexUnusableError(damaged=True)
        items[number] = item
    return items
