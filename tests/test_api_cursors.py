"""Cursors: good for the one list, the one user and the one workspace that they were given for."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from starlette.testclient import TestClient

from support.api import SOURCES, api_of, csv_source
from wellhead import base64url
from wellhead.access.authentication import LocalAuthenticator
from wellhead.access.principal import Principal
from wellhead.access.signing import Signer
from wellhead.api.cursors import MAX_CURSOR, cursor_for, place_in
from wellhead.assembled import Wellhead
from wellhead.assembly import assemble
from wellhead.errors import InputError
from wellhead.settings import Settings

AUDIT = "/api/v1/audit"


@pytest.fixture
def api(wellhead_parts: Wellhead) -> Iterator[TestClient]:
    """A client of a workspace with four data sources, all of them new."""
    with api_of(wellhead_parts) as client:
        for number in range(4):
            assert client.post(SOURCES, json=csv_source(f"source {number}")).status_code == 201
        yield client


def first(api: TestClient, path: str = SOURCES, **query: Any) -> str:
    """Return the cursor of a list's second page."""
    cursor: str = api.get(path, params={"limit": 1, **query}).json()["next"]
    assert cursor
    return cursor


def refused(api: TestClient, cursor: str, path: str = SOURCES, **query: Any) -> None:
    answer = api.get(path, params={"cursor": cursor, **query})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_cursor"), answer.text
    [problem] = answer.json()["errors"]
    assert problem["parameter"] == "cursor"
    assert "Start again from the first page" in problem["message"]
    assert cursor not in answer.text


def acting(wellhead: Wellhead, user: str, workspace: str) -> Wellhead:
    return replace(wellhead, authenticator=LocalAuthenticator(wellhead.token, Principal(user, workspace, "admin")))


@pytest.mark.parametrize(("path", "more"), [(SOURCES, {"sort": "-type,created_at"}), (AUDIT, {"operation": "create"})])
def test_I_15_a_cursor_belongs_to_its_user_and_workspace(
    api: TestClient, wellhead_parts: Wellhead, path: str, more: dict[str, str]
) -> None:
    with api_of(acting(wellhead_parts, "ada", "red")) as ada:
        cursor = first(ada, path, **more)
        assert ada.get(path, params={"cursor": cursor, **more}).json()["items"]
    for user, workspace in (("ada", "blue"), ("bob", "red"), ("red", "ada"), ("dada", "re"), ('ada", "red', "red")):
        with api_of(acting(wellhead_parts, user, workspace)) as other:
            refused(other, cursor, path, **more)


@pytest.mark.parametrize(
    "other",
    [
        {"sort": "-name"},
        {"sort": "name"},
        {"type": "csv"},
        {"type": ["csv", "json"]},
        {"q": "source"},
        {"name": "source 1"},
        {"label": "team"},
        {"state": "ok"},
        {"health": "none"},
        {"created_after": "2020-01-01T00:00:00Z"},
        {"updated_before": "2120-01-01T00:00:00Z"},
    ],
    ids=str,
)
def test_I_15_a_cursor_belongs_to_its_filters_and_order(api: TestClient, other: dict[str, Any]) -> None:
    refused(api, first(api), **other)
    if "name" not in other and "label" not in other:
        refused(api, first(api, **other))


@pytest.mark.parametrize("other", [{"user": "x"}, {"operation": "create"}, {"from": "2020-01-01T00:00:00Z"}])
def test_I_15_a_cursor_of_the_audit_log_belongs_to_its_filters(api: TestClient, other: dict[str, str]) -> None:
    refused(api, first(api, AUDIT), AUDIT, **other)


def test_I_15_a_cursor_of_one_list_is_none_of_another(api: TestClient) -> None:
    refused(api, first(api), AUDIT)
    refused(api, first(api, AUDIT))


@pytest.mark.parametrize("path", [SOURCES, AUDIT])
def test_a_cursor_goes_with_another_limit(api: TestClient, path: str) -> None:
    assert len(api.get(path, params={"cursor": first(api, path), "limit": 200}).json()["items"]) == 3


def test_I_15_what_former_versions_gave_out_is_refused(api: TestClient) -> None:
    before = json.dumps(["c2hhMjU2", [], "source 0", "5f3c2d1e-0a4b-4c5d-8e6f-7a8b9c0d1e2f"]).encode()
    refused(api, base64url.encode(before))
    entry = api.get(AUDIT).json()["items"][0]["entry"]
    refused(api, entry, AUDIT)


@given(st.binary(max_size=80), st.integers(0, 300))
@examples(max_examples=200, deadline=None)
def test_I_15_I_17_any_other_text_is_no_cursor(data: bytes, place: int) -> None:
    good = call(cursor_for, request_of("ada", "red"), "a list", ["id", "name"])
    changed = bytearray(base64url.decode(good))
    changed[place % len(changed)] ^= data[0] % 255 + 1 if data else 1
    for text in (base64url.encode(data), base64url.encode(bytes(changed)), good[:place], f"{good}{place}", good + "="):
        if text != good:
            with pytest.raises(InputError) as caught:
                call(place_in, request_of("ada", "red"), "a list", text)
            assert caught.value.common_code == "bad_cursor"


@given(st.lists(st.text(max_size=60) | st.just("\ud800"), max_size=5))
def test_a_place_comes_back_as_it_was(place: list[str]) -> None:
    request = request_of("ada", "red")
    assert call(place_in, request, "a list", call(cursor_for, request, "a list", place)) == place


class Fixed:
    """A key that the test knows."""

    async def keys(self) -> list[bytes]:
        return [b"k" * 32]


def request_of(user: str, workspace: str) -> Request:
    class Parts:
        signer = Signer(Fixed())

    state = {"principal": Principal(user, workspace, "viewer"), "wellhead": Parts()}
    return Request({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b"", "state": state})


def call(function: Any, *arguments: Any) -> Any:
    """Run what never waits for anything."""
    try:
        function(*arguments).send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits")


def test_a_cursor_costs_microseconds() -> None:
    request, rounds = request_of("ada", "red"), 500
    began = time.process_time()
    for _ in range(rounds):
        call(place_in, request, "a list", call(cursor_for, request, "a list", ["id", "name"]))
    assert (time.process_time() - began) / rounds < 0.001


def test_a_cursor_is_good_after_a_restart_and_in_every_process(api: TestClient, settings: Settings) -> None:
    cursor = first(api, sort="-updated_at")
    again = assemble(settings)
    with api_of(again) as other:
        page = other.get(SOURCES, params={"cursor": cursor, "sort": "-updated_at"}).json()
        assert len(page["items"]) == 3
        other.post(SOURCES, json={**csv_source("the first secret"), "type": "api", "url": "https://x.example"})
        assert first(other, sort="-updated_at")
    again.close()


def test_L_22_no_part_of_a_cursor_is_the_token(api: TestClient, wellhead_parts: Wellhead) -> None:
    cursor = base64url.decode(first(api))
    token = wellhead_parts.token.read_or_make().encode()
    assert token not in cursor
    assert token not in base64.b64encode(cursor)


@pytest.mark.parametrize("letter", ["ﷺ", "㌖", "👩", "ß", "\u0345"])
def test_no_name_is_too_long_for_a_cursor(api: TestClient, letter: str) -> None:
    for number in range(2):
        assert api.post(SOURCES, json=csv_source(f"~{letter * 98}{number}")).status_code == 201
    walk(api, 6)


def test_D_22_a_name_of_any_length_ends_no_list(api: TestClient, wellhead_parts: Wellhead, workspace: Path) -> None:
    source = api.get(SOURCES, params={"name": "source 2"}).json()["items"][0]
    path = workspace / ".datasources" / f"{source['id']}.json"
    name = "source 2 " + "".join(chr(0x4E00 + number * 7919 % 20000) for number in range(2000))
    path.write_text(json.dumps({**json.loads(path.read_text()), "name": name}))
    anyio.run(wellhead_parts.store.rebuild_index)
    assert len(api.get(SOURCES, params={"limit": 3}).json()["next"]) < 100
    walk(api, 4)


def walk(api: TestClient, count: int) -> None:
    """Go through a list one by one, in several orders."""
    for sort in ("name", "-name,type", "type,-updated_at"):
        seen, url = [], f"{SOURCES}?limit=1&sort={sort}"
        while url:
            answer = api.get(url)
            assert answer.status_code == 200, answer.text
            seen += [item["id"] for item in answer.json()["items"]]
            assert len(answer.json()["next"] or "") <= MAX_CURSOR
            url = answer.headers.get("link", "<>")[1:].partition(">")[0]
        assert len(seen) == len(set(seen)) == count
