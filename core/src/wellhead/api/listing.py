"""The list of data sources over HTTP: its query, and its cursors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fastapi import Request

from wellhead.api.cursors import MAX_CURSOR, bad_cursor, cursor_for, place_in
from wellhead.api.parameters import LIST_PARAMETERS
from wellhead.api.query import read_query
from wellhead.catalog.listing import DEFAULT_LIMIT, ListQuery, position_of
from wellhead.errors import DataSourceNotFoundError
from wellhead.storage.selection import Position, SortKey


async def list_query(request: Request) -> ListQuery:
    """Read the query of a list.

    Raises:
        InputError: A parameter is unknown, given twice, or does not fit; or the cursor is none of this list.
    """
    given = read_query(request, LIST_PARAMETERS)
    query = replace(filters_of(given), sort=given.get("sort", ()), limit=given.get("limit", DEFAULT_LIMIT))
    if "cursor" not in given:
        return query
    place = await place_in(request, _about(query), given["cursor"])
    return replace(query, after=await _position(request, place, query.sort))


async def next_cursor(request: Request, query: ListQuery, position: Position | None) -> str | None:
    """Return the cursor of the page that begins after a position, if there is one."""
    if position is None:
        return None
    others = [value for (field, _), value in zip(query.sort, position.values, strict=True) if field != "name"]
    cursor = await cursor_for(request, _about(query), [position.id, position.name, *others])
    if len(cursor) <= MAX_CURSOR:
        return cursor
    # A file that was edited by hand may have a name of any length. It must not end the list for all that come after it.
    return await cursor_for(request, _about(query), [position.id])


async def _position(request: Request, place: Sequence[str], sort: Sequence[SortKey]) -> Position:
    if len(place) == 1:
        return await _position_of(request, place[0], sort)
    source_id, name, *others = place
    values = iter(others)
    return Position(tuple(name if field == "name" else next(values) for field, _ in sort), name, source_id)


async def _position_of(request: Request, source_id: str, sort: Sequence[SortKey]) -> Position:
    try:
        stored = await request.state.wellhead.catalog.read(source_id)
    except DataSourceNotFoundError:
        raise bad_cursor() from None
    return position_of(stored, sort)


def _about(query: ListQuery) -> str:
    return f"data sources: {query.about}"


def filters_of(given: Mapping[str, Any]) -> ListQuery:
    """Return the filters of a query that was read."""
    return ListQuery(
        types=given.get("type", ()),
        labels=given.get("label", ()),
        name=given.get("name"),
        text=given.get("q"),
        states=(given["state"],) if "state" in given else (),
        health=(given["health"],) if "health" in given else (),
        created=(given.get("created_after"), given.get("created_before")),
        updated=(given.get("updated_after"), given.get("updated_before")),
    )
