"""Filtering, sorting and paging over HTTP."""

import base64
import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from support.documents import document_of
from support.service import SOURCES, Service

from .conftest import client_of

COUNT = 23


@pytest.fixture(scope="module", autouse=True)
def sources(service: Service) -> list[dict[str, Any]]:
    """Data sources to list: of two types, some with labels and descriptions."""
    made = []
    with client_of(service) as client:
        for number in range(COUNT):
            more = {"labels": {"team": f"t{number % 3}", "stage": "prod:eu"}} if number % 2 else {}
            kind = "postgres" if number % 5 == 0 else "csv"
            described = {"description": "Über ALLES"} if number == 7 else {}
            document = document_of(kind, name=f"Source {number:02}", **more, **described)
            made.append(client.post(SOURCES, json=document).json())
    return made


def listed(client: httpx2.Client, **parameters: Any) -> dict[str, Any]:
    answer = client.get(SOURCES, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def names(page: dict[str, Any]) -> list[str]:
    return [item["name"] for item in page["items"]]


def pages(client: httpx2.Client, **parameters: Any) -> Iterator[dict[str, Any]]:
    """Follow the links from page to page."""
    answer = client.get(SOURCES, params=parameters)
    while True:
        yield answer.json()
        if answer.json()["next"] is None:
            assert "Link" not in answer.headers
            return
        link = answer.headers["Link"]
        assert link.endswith('>; rel="next"')
        assert dict(parse_qsl(urlsplit(link[1:].partition(">")[0]).query))["cursor"] == answer.json()["next"]
        answer = client.get(link[1:].partition(">")[0])


def test_a_list_shows_all_by_name(client: httpx2.Client, sources: list[dict[str, Any]]) -> None:
    page = listed(client)
    assert page == {"items": sources, "next": None, "total": COUNT}


@pytest.mark.parametrize("limit", [1, 7, 22, 23, 24, 200])
def test_pages_put_together_are_the_list(client: httpx2.Client, sources: list[dict[str, Any]], limit: int) -> None:
    found = list(pages(client, limit=limit))
    assert [item for page in found for item in page["items"]] == sources
    assert {page["total"] for page in found} == {COUNT}
    assert all(len(page["items"]) <= limit for page in found)


@pytest.mark.parametrize("sort", ["-name", "type", "-type,name", "created_at", "-updated_at", "type,-created_at"])
def test_pages_keep_every_order(client: httpx2.Client, sources: list[dict[str, Any]], sort: str) -> None:
    expected = sorted(sources, key=lambda item: item["name"].casefold())
    for field in reversed(sort.split(",")):
        name = field.removeprefix("-")
        expected.sort(key=lambda item, name=name: item[name], reverse=field.startswith("-"))  # type: ignore[misc]
    found = [item["name"] for page in pages(client, limit=4, sort=sort) for item in page["items"]]
    assert found == [item["name"] for item in expected]


@pytest.mark.parametrize(
    ("parameters", "numbers"),
    [
        ({"type": "postgres"}, [0, 5, 10, 15, 20]),
        ({"type": ["postgres", "csv"]}, range(COUNT)),
        ({"type": "gadget"}, []),
        ({"label": "team"}, range(1, COUNT, 2)),
        ({"label": "team:t1"}, [1, 7, 13, 19]),
        ({"label": ["team:t1", "stage:prod:eu"]}, [1, 7, 13, 19]),
        ({"label": ["team:t1", "team:t2"]}, []),
        ({"label": "stage:prod"}, []),
        ({"name": "ＳＯＵＲＣＥ 03"}, [3]),  # noqa: RUF001  # as NFKC compares
        ({"name": "Source"}, []),
        ({"q": "SOURCE 1"}, range(10, 20)),
        ({"q": "über alles"}, [7]),
        ({"q": ".*" + "x"}, []),
        ({"q": "%%%"}, []),
        ({"state": "ok"}, range(COUNT)),
        ({"state": "corrupt"}, []),
        ({"health": "none"}, range(COUNT)),
        ({"health": "passed"}, []),
        ({"type": "postgres", "label": "team"}, [5, 15]),
    ],
    ids=str,
)
def test_filters_choose(client: httpx2.Client, parameters: dict[str, Any], numbers: Any) -> None:
    page = listed(client, **parameters)
    assert names(page) == [f"Source {number:02}" for number in numbers]
    assert page["total"] == len(list(numbers))
    summary = client.get(f"{SOURCES}/summary", params=parameters).json()
    kinds = Counter("postgres" if number % 5 == 0 else "csv" for number in numbers)
    assert summary == {
        "total": page["total"],
        "items": [{"type": kind, "state": "ok", "health": "none", "count": kinds[kind]} for kind in sorted(kinds)],
    }


def test_the_limits_of_instants_are_inclusive(client: httpx2.Client, sources: list[dict[str, Any]]) -> None:
    instant = sources[11]["created_at"]
    for field in ("created", "updated"):
        page = listed(client, **{f"{field}_after": instant, f"{field}_before": instant})
        assert "Source 11" in names(page)
    respelt = instant.replace("Z", "+00:00")
    assert "Source 11" in names(listed(client, created_after=respelt, created_before=respelt))


def test_I_15_a_cursor_belongs_to_its_filters_and_order(client: httpx2.Client) -> None:
    cursor = listed(client, limit=5)["next"]
    for other in ({"sort": "-name"}, {"type": "csv"}, {"q": "source"}, {"label": "team"}):
        answer = client.get(SOURCES, params={"cursor": cursor, **other})
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_cursor")
    assert listed(client, limit=7, cursor=cursor)["items"]


def test_I_15_I_17_no_change_of_a_cursor_is_taken_or_does_harm(client: httpx2.Client) -> None:
    cursor = listed(client, limit=5, sort="type,-created_at")["next"]
    others = ["A" if letter != "A" else "B" for letter in cursor]
    tampered = [cursor[:place] + other + cursor[place + 1 :] for place, other in enumerate(others)]
    tampered += [cursor[:-1], cursor + "A", cursor * 2, "A", "_" * 100, *_forged(cursor)]
    tampered += [base64.urlsafe_b64encode(b'["bWFyaw",[],"source 04",""]').decode()]  # as they were once
    for text in tampered:
        answer = client.get(SOURCES, params={"cursor": text, "sort": "type,-created_at"})
        assert answer.status_code == 422, (text, answer.text)
        assert answer.json()["errors"][0]["parameter"] == "cursor"
        assert "first page" in answer.json()["errors"][0]["message"]


def _forged(cursor: str) -> list[str]:
    """Return cursors whose content was changed, written as a cursor is."""
    data = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    place = json.loads(zlib.decompress(data[16:], wbits=-15))
    forgeries = [
        [],
        {},
        None,
        place[:-1],
        place[:1],
        [*place, "x"],
        [*place[:-1], "zzz"],
        [*place[:-1], 5],
        [place] * 4,
    ]
    packed = [zlib.compress(json.dumps(item).encode(), wbits=-9) for item in forgeries]
    signatures = (data[:16], bytes(16), hashlib.sha256(data[16:]).digest()[:16])
    texts = [base64.urlsafe_b64encode(signature + item) for signature in signatures for item in packed]
    return [text.decode().rstrip("=") for text in texts]


def test_D_31_a_page_goes_on_where_it_stopped_though_items_came_and_went(client: httpx2.Client) -> None:
    first = listed(client, limit=5)
    early = client.post(SOURCES, json=document_of(name="Aaa")).headers["Location"]
    gone = client.post(SOURCES, json=document_of(name="Source 04b")).headers["Location"]
    second = listed(client, limit=5, cursor=first["next"])
    assert names(second)[:2] == ["Source 04b", "Source 05"]
    client.delete(gone)
    assert names(listed(client, limit=5, cursor=first["next"]))[0] == "Source 05"
    client.delete(early)


@pytest.mark.parametrize(
    "query", ["limit=1000000", "limit=0", "limit=1&limit=1", "bogus=1", "q=ab", "cursor=!", "sort=host"]
)
def test_R_10_I_10_a_bad_query_is_refused(client: httpx2.Client, query: str) -> None:
    answer = client.get(f"{SOURCES}?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == query.partition("=")[0]


def test_a_summary_takes_the_filters_of_the_list_and_neither_pages_nor_order(client: httpx2.Client) -> None:
    for query in ("limit=1", "cursor=x", "sort=name", "health=bogus"):
        answer = client.get(f"{SOURCES}/summary?{query}")
        assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, query.partition("=")[0])


def test_R_10_a_query_of_more_than_2_kib_is_414(client: httpx2.Client) -> None:
    assert client.get(SOURCES, params={"q": "x" * 3000}).status_code == 414


def test_R_11_a_search_for_a_pattern_takes_no_time(client: httpx2.Client) -> None:
    assert client.get(SOURCES, params={"q": "(a+)+$" * 30}, timeout=2).json()["total"] == 0
