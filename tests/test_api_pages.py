"""The pages for people."""

import html
import re

import pytest
from starlette.testclient import TestClient

from support.api import api  # noqa: F401  # the fixture is found by its name
from wellhead.codes import CODES


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_its_page(api: TestClient, code: str) -> None:  # noqa: F811
    answer = api.get(f"/problems/{code}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert code in answer.text


@pytest.mark.parametrize("path", ["/docs", "/problems/name_taken"])
def test_O_04_a_page_loads_nothing_and_runs_nothing(api: TestClient, path: str) -> None:  # noqa: F811
    answer = api.get(path)
    assert not re.search(r"<script|<link|<img|<iframe|src=|https?://|\son[a-z]+=|@import|url\(", answer.text)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_the_docs_name_every_operation_and_schema(api: TestClient) -> None:  # noqa: F811
    page, document = api.get("/docs").text, api.get("/openapi.json").json()
    assert [path for path in document["paths"] if f"<code>{path}</code>" not in page] == []
    assert [name for name in document["components"]["schemas"] if f"id='{name}'" not in page] == []


def test_the_problem_page_of_no_code_does_not_show_what_was_asked_for(api: TestClient) -> None:  # noqa: F811
    answer = api.get("/problems/<script>alert(1)")
    assert answer.status_code == 404
    assert "alert" not in answer.text


def test_the_docs_show_values_as_json(api: TestClient) -> None:  # noqa: F811
    page = html.unescape(api.get("/docs").text)
    assert "string | null" in page
    assert '"ready" | "broken"' in page
    assert not re.search(r"\['|'\]|\bNone\b|\bTrue\b|\bFalse\b|<td>'", page)
