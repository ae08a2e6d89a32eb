"""Filtering, sorting and paging."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.types import SET_AT, SOURCE_ID
from wellhead import clock
from wellhead.catalog.listing import SORT_FIELDS, ListQuery, page_of
from wellhead.storage.records import Record
from wellhead.storage.stored import STATES, StoredDataSource


def source(number: int, name: str = "", **facts: Any) -> StoredDataSource:
    """Return a data source, made some `minutes` after the first one, and changed after twice as many."""
    name, source_id = name or f"source {number}", f"{number:08}{SOURCE_ID[8:]}"
    minutes = facts.pop("minutes", number)
    created, updated = (clock.to_text(SET_AT + timedelta(minutes=minutes * factor)) for factor in (1, 2))
    type_name, state = facts.pop("type", "deep"), facts.pop("state", "ok")
    health = facts.pop("health", None)
    record = Record(
        source_id, type_name, name, facts.pop("description", None), facts.pop("labels", {}), created, updated, 1, {}
    )
    return StoredDataSource(source_id, state, name, type_name, 1, record=record, health=health)


def names(found: list[StoredDataSource], **query: Any) -> list[Any]:
    return [item["name"] for item in page_of(found, ListQuery(**query)).items]


SOURCES = [
    source(1, "Warehouse", type="mydb", labels={"team": "sales", "stage": "live"}, description="All ORDERS"),
    source(2, "lager", type="mydb", labels={"team": "ops"}, state="invalid", health={"status": "passed"}),
    source(3, "Straße", type="web", labels={"team": "sales"}, health={"status": "failed"}),
    StoredDataSource("4", "corrupt"),
]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [None, "lager", "Straße", "Warehouse"]),
        ({"types": ("mydb",)}, ["lager", "Warehouse"]),
        ({"types": ("mydb", "web")}, ["lager", "Straße", "Warehouse"]),
        ({"labels": (("team", "sales"),)}, ["Straße", "Warehouse"]),
        ({"labels": (("team", "sales"), ("stage", None))}, ["Warehouse"]),
        ({"labels": (("team", ""),)}, []),
        ({"name": "STRASSE"}, ["Straße"]),
        ({"name": "Stra"}, []),
        ({"text": "orders"}, ["Warehouse"]),
        ({"text": "ASS"}, ["Straße"]),
        ({"states": ("corrupt", "invalid")}, [None, "lager"]),
        ({"health": ("none",)}, [None, "Warehouse"]),
        ({"health": ("passed", "failed")}, ["lager", "Straße"]),
        ({"created": (SET_AT + timedelta(minutes=2), None)}, ["lager", "Straße"]),
        ({"created": (None, SET_AT + timedelta(minutes=2))}, ["lager", "Warehouse"]),
        ({"updated": (SET_AT + timedelta(minutes=4), SET_AT + timedelta(minutes=4))}, ["lager"]),
        ({"types": ("mydb",), "states": ("ok",)}, ["Warehouse"]),
        ({"sort": (("type", False), ("name", True))}, [None, "Warehouse", "lager", "Straße"]),
        ({"sort": (("created_at", True),)}, ["Straße", "lager", "Warehouse", None]),
    ],
)
def test_a_query_finds_what_it_asks_for(query: dict[str, Any], found: list[Any]) -> None:
    assert names(SOURCES, **query) == found


@pytest.mark.parametrize("state", STATES)
def test_the_list_never_fails_because_of_one_record(state: Any) -> None:
    page = page_of(
        [*SOURCES, StoredDataSource("5", state)], ListQuery(sort=tuple((field, True) for field in SORT_FIELDS))
    )
    assert page.total == 5
    assert json.dumps(page.as_document())


LISTS = st.lists(
    st.tuples(st.sampled_from(["a", "A", "b", "ß", "ss", ""]), st.sampled_from(["x", "y"]), st.integers(0, 3)),
    max_size=14,
)
ORDERS = st.lists(st.tuples(st.sampled_from(SORT_FIELDS), st.booleans()), max_size=3, unique_by=lambda key: key[0])


@given(LISTS, ORDERS, st.integers(1, 5), st.randoms())
@settings(max_examples=200, deadline=None)
def test_the_pages_together_are_the_list(rows: Any, sort: Any, limit: int, random: Any) -> None:
    found = [source(number, name, type=kind, minutes=minutes) for number, (name, kind, minutes) in enumerate(rows)]
    query = ListQuery(sort=tuple(sort), limit=limit)
    whole = [item["id"] for item in page_of(found, replace(query, limit=200)).items]
    walked, after = [], None
    for _ in range(len(found) + 1):
        random.shuffle(found)
        page = page_of(found, replace(query, after=after))
        walked += [item["id"] for item in page.items]
        after = page.next
        assert page.total == len(found)
        if after is None:
            break
    assert walked == whole
    assert after is None


ROW = st.tuples(st.sampled_from(["a", "A", "b", "ß", "ss", ""]), st.sampled_from(["x", "y"]), st.integers(0, 3))
CHANGES = st.lists(st.tuples(st.sampled_from(["add", "remove", "change"]), st.integers(0, 30), ROW), max_size=12)


@given(st.lists(ROW, max_size=14), ORDERS, st.integers(1, 4), CHANGES)
@settings(max_examples=200, deadline=None)
def test_D_31_what_was_there_throughout_is_on_one_page_while_others_come_go_and_move(
    rows: Any, sort: Any, limit: int, changes: Any
) -> None:
    """Between any two pages something is made, deleted, or changed so that it stands elsewhere."""
    there = {number: _made(number, row) for number, row in enumerate(rows)}
    untouched, query = set(there), ListQuery(sort=tuple(sort), limit=limit)
    seen: list[str] = []
    while True:
        page = page_of(there.values(), query)
        seen += [item["id"] for item in page.items]
        if page.next is None:
            break
        query = replace(query, after=page.next)
        if changes:
            kind, number, row = changes.pop()
            untouched.discard(number)
            there.pop(number, None)
            if kind != "remove":
                there[number] = _made(number, row)
    kept = [there[number].id for number in untouched]
    assert sorted(item for item in seen if item in kept) == sorted(kept)


def _made(number: int, row: tuple[str, str, int]) -> StoredDataSource:
    name, kind, minutes = row
    return source(number, name, type=kind, minutes=minutes)


def test_what_is_changed_under_its_own_sort_key_moves_and_is_seen_twice_or_not_at_all() -> None:
    """As the reference says: by `updated_at` a change moves to the end, by `-updated_at` to the beginning."""
    found = [source(number) for number in range(4)]
    for descending, times in ((False, 2), (True, 0)):
        query = ListQuery(sort=(("updated_at", descending),), limit=1)
        first = page_of(found, query)
        moved = found[0]
        rest = [item for item in found if item is not moved] + [source(0, minutes=99)]
        others = page_of(rest, replace(query, after=first.next, limit=9))
        seen = [item["id"] for item in (*first.items, *others.items)]
        assert seen.count(moved.id) == times
        assert {item.id for item in found[1:]} <= set(seen)
