"""Queries are read strictly, and no value of theirs comes back."""

import asyncio
from typing import Any

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from wellhead import clock
from wellhead.api.listing import list_query
from wellhead.api.parameters import FORCE, LIST_PARAMETERS, timeout_parameter
from wellhead.api.query import read_query
from wellhead.catalog.listing import ListQuery
from wellhead.errors import InputError, MalformedJSONError


def request(query: str | bytes) -> Request:
    raw = query.encode() if isinstance(query, str) else query
    return Request({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": raw})


def listed(query: str) -> ListQuery:
    return asyncio.run(list_query(request(query)))


def problems(query: str, *parameters: Any) -> list[tuple[str, str]]:
    """Return the parameters that are refused, each with its code."""
    with pytest.raises(InputError) as caught:
        read_query(request(query), parameters or LIST_PARAMETERS)
    assert all(problem.in_query for problem in caught.value.problems)
    return [(problem.pointer, problem.code) for problem in caught.value.problems]


@pytest.mark.parametrize(
    "query",
    [
        "type=",
        "type=Postgres",
        "label=",
        "label=:x",
        "label=a%20b",
        "label=" + "k" * 64,
        "name=",
        "name=" + "n" * 101,
        "q=ab",
        "q=" + "q" * 201,
        "state=",
        "state=OK",
        "health=bad",
        "created_after=2026-11-23",
        "created_after=2026-11-23T08:00:00",
        "updated_before=2026-13-23T08:00:00Z",
        "updated_after=2026-11-23T08:00:00+01:00",
        "updated_after=%D9%A2026-11-23T08:00:00Z",
        "sort=",
        "sort=password",
        "sort=host",
        "sort=name,-name",
        "sort=name,",
        "limit=0",
        "limit=201",
        "limit=1_0",
        "limit=%2B5",
        "limit=%205",
        "limit=1e2",
        "limit=%D9%A3",
        "limit=1000000",
        "cursor=",
        "cursor=a.b",
        "cursor=" + "c" * 1501,
    ],
)
def test_I_10_what_does_not_fit_is_refused_by_name(query: str) -> None:
    assert problems(query) == [(query.partition("=")[0], "bad_format")]


@pytest.mark.parametrize("name", ["password", "Type", "types", "limit ", "type[]", "$where", "access_token", ""])
def test_I_10_L_18_an_unknown_parameter_is_refused_with_those_that_there_are(name: str) -> None:
    with pytest.raises(InputError) as caught:
        read_query(request(f"{name}=1"), LIST_PARAMETERS)
    problem = caught.value.problems[0]
    assert (problem.pointer, problem.code) == (name, "unknown_parameter")
    assert problem.allowed is not None
    assert "cursor" in problem.allowed


def test_L_18_nothing_of_a_type_can_be_filtered_or_sorted_by() -> None:
    names = {parameter.name for parameter in LIST_PARAMETERS}
    assert not names & {"host", "password", "username", "path", "url", "token"}


@pytest.mark.parametrize(
    "name", [parameter.name for parameter in LIST_PARAMETERS if not parameter.repeats and parameter.name != "limit"]
)
def test_I_10_a_second_value_is_refused_even_if_it_is_the_same(name: str) -> None:
    fitting = {"q": "sales", "sort": "name", "state": "ok", "health": "none"}.get(
        name, "2026-11-23T08:00:00Z" if "_" in name else "a"
    )
    assert problems(f"{name}={fitting}&{name}={fitting}") == [(name, "repeated_parameter")]


def test_all_problems_are_told_at_once() -> None:
    assert problems("limit=0&bogus=1&sort=x") == [
        ("limit", "bad_format"),
        ("bogus", "unknown_parameter"),
        ("sort", "bad_format"),
    ]


def test_the_filters_that_may_repeat_are_collected() -> None:
    query = listed("type=csv&type=postgres&label=team&label=stage:prod:eu&state=ok&health=none")
    assert query.types == ("csv", "postgres")
    assert query.labels == (("team", None), ("stage", "prod:eu"))
    assert (query.states, query.health) == (("ok",), ("none",))


def test_instants_and_the_order_are_read() -> None:
    query = listed("created_after=2026-11-23T08:00:00%2B01:00&sort=-updated_at,name&limit=7")
    assert query.created == (clock.from_text("2026-11-23T07:00:00Z"), None)
    assert query.sort == (("updated_at", True), ("name", False))
    assert query.limit == 7


def test_a_list_without_a_query_has_fifty_items() -> None:
    assert listed("").limit == 50


@pytest.mark.parametrize("query", [b"q=%ff%fe%fd", b"q=\xff\xff\xff", b"&".join([b"type=csv"] * 101)])
def test_a_query_that_is_no_query_is_malformed(query: bytes) -> None:
    with pytest.raises(MalformedJSONError):
        read_query(request(query), LIST_PARAMETERS)


@pytest.mark.parametrize("text", ["0", "-1", "61", "1e1", "nan", "inf", "", "1_0", "%D9%A3", "9" * 400])
def test_a_timeout_lies_between_zero_and_the_most(text: str) -> None:
    assert problems(f"timeout={text}", timeout_parameter(60)) == [("timeout", "bad_format")]


@pytest.mark.parametrize(("text", "seconds"), [("0.001", 0.001), ("10", 10), ("60", 60), ("2.5", 2.5)])
def test_a_timeout_is_read_in_seconds(text: str, seconds: float) -> None:
    assert read_query(request(f"timeout={text}"), (timeout_parameter(60),)) == {"timeout": seconds}


@pytest.mark.parametrize("text", ["1", "True", "yes", "", "on"])
def test_I_07_only_true_and_false_are_booleans(text: str) -> None:
    assert problems(f"force={text}", FORCE) == [("force", "bad_format")]


@given(st.sampled_from([parameter.name for parameter in LIST_PARAMETERS]), st.uuids())
def test_no_error_repeats_a_value_of_the_query(name: str, value: object) -> None:
    text = f"({value})" * 6
    with pytest.raises(InputError) as caught:
        read_query(request(f"{name}={text}"), LIST_PARAMETERS)
    shown = str([problem.as_document() for problem in caught.value.problems])
    assert str(value) not in shown
