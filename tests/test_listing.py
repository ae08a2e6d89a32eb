"""Filtering, sorting and paging."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.types import SET_AT, SOURCE_ID
from wellhead import base64url, clock
from wellhead.catalog.listing import SORT_FIELDS, ListQuery, page_of
from wellhead.errors import InputError
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
    walked, cursor = [], None
    for _ in range(len(found) + 1):
        random.shuffle(found)
        page = page_of(found, replace(query, cursor=cursor))
        walked += [item["id"] for item in page.items]
        cursor = page.next
        assert page.total == len(found)
        if cursor is None:
            break
    assert walked == whole
    assert cursor is None


@given(LISTS, ORDERS, st.sets(st.integers(0, 13)))
@settings(max_examples=100, deadline=None)
def test_D_31_a_page_skips_nothing_that_was_there_throughout(rows: Any, sort: Any, removed: set[int]) -> None:
    found = [source(number, name, type=kind, minutes=minutes) for number, (name, kind, minutes) in enumerate(rows)]
    query = ListQuery(sort=tuple(sort), limit=3)
    first = page_of(found, query)
    remaining = [item for number, item in enumerate(found) if number not in removed]
    rest = page_of(remaining, replace(query, cursor=first.next, limit=200)).items if first.next else []
    seen = {item["id"] for item in first.items} | {item["id"] for item in rest}
    assert seen >= {item.id for item in remaining}


def cursor_of(query: ListQuery) -> str:
    cursor = page_of(SOURCES, replace(query, limit=1)).next
    assert cursor is not None
    return cursor


@pytest.mark.parametrize(
    "other", [{"types": ("mydb",)}, {"sort": (("name", True),)}, {"text": "aaa"}, {"states": ("ok",)}]
)
def test_I_15_a_cursor_belongs_to_its_query(other: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="does not belong to this list") as caught:
        page_of(SOURCES, ListQuery(**other, cursor=cursor_of(ListQuery())))
    assert caught.value.problems[0].as_document()["parameter"] == "cursor"


def test_a_cursor_goes_with_another_limit() -> None:
    assert len(page_of(SOURCES, ListQuery(limit=200, cursor=cursor_of(ListQuery()))).items) == 3


@given(
    st.text(max_size=30)
    | st.binary(max_size=30).map(base64url.encode)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=4), lambda inner: st.lists(inner, max_size=5), max_leaves=8
    ).map(lambda value: base64url.encode(json.dumps(value).encode()))
)
@settings(max_examples=300, deadline=None)
def test_I_15_I_17_any_other_text_is_no_cursor(cursor: str) -> None:
    with pytest.raises(InputError) as caught:
        page_of(SOURCES, ListQuery(cursor=cursor))
    assert caught.value.common_code == "bad_cursor"


def test_I_15_a_cursor_whose_inside_was_edited_is_refused_or_harmless() -> None:
    inside = json.loads(base64url.decode(cursor_of(ListQuery(sort=(("type", False),)))))
    for place, value in [(1, "text"), (1, []), (1, ["a", "b"]), (1, [5]), (2, 5), (3, None), (0, "x"), (1, {"a": 1})]:
        edited = [*inside[:place], value, *inside[place + 1 :]]
        with pytest.raises(InputError):
            page_of(SOURCES, ListQuery(sort=(("type", False),), cursor=base64url.encode(json.dumps(edited).encode())))
