"""Paths at which nothing is: a page for browsers, where there is one, and problem details for programs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from starlette.testclient import TestClient

from support.api import SOURCES, api  # noqa: F401  # a fixture
from wellhead.api.live import LiveApp
from wellhead.assembled import Wellhead
from wellhead.assembly import assemble

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
NOWHERE = ["/nowhere", "/sources", "/plugins/", "/docs/x", "/apidocs", "/%2e%2e/x"]


@contextmanager
def opened(parts: Wellhead) -> Iterator[TestClient]:
    with TestClient(LiveApp(parts), "http://localhost", follow_redirects=False) as client:
        yield client


@pytest.fixture
def stranger(wellhead_parts: Wellhead) -> Iterator[TestClient]:
    """A browser in which nobody has signed in."""
    with opened(wellhead_parts) as client:
        yield client


@pytest.fixture
def owner(wellhead_parts: Wellhead, stranger: TestClient) -> TestClient:
    """A browser in which somebody has."""
    assert stranger.post("/sign-in", data={"token": wellhead_parts.token.read_or_make()}).status_code == 200
    return stranger


@pytest.mark.parametrize("path", NOWHERE)
def test_a_browser_is_asked_to_sign_in(stranger: TestClient, path: str) -> None:
    answer = stranger.get(path, headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


@pytest.mark.parametrize("path", NOWHERE)
def test_whoever_has_signed_in_sees_that_there_is_no_such_page(owner: TestClient, path: str) -> None:
    answer = owner.get(path, headers=BROWSER)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is no such thing here." in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert owner.get("/", headers=BROWSER).status_code == 200, "the session goes on"


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/nowhere", {"Accept": "*/*"}),
        ("GET", "/nowhere", {"Accept": "application/json"}),
        ("GET", "/nowhere", BROWSER | {"Authorization": "Bearer nobody's"}),
        ("POST", "/nowhere", BROWSER),
        ("GET", "/api", BROWSER),
        ("GET", "/api/v1/nowhere", BROWSER),
        ("GET", SOURCES, BROWSER),
        ("GET", "/metrics", BROWSER),
    ],
)
def test_a_program_and_what_is_for_programs_get_problem_details(
    owner: TestClient, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = owner.request(method, path, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


def test_with_a_token_it_is_not_found_as_a_program_reads_it(api: TestClient) -> None:  # noqa: F811
    answer = api.get("/nowhere", headers=BROWSER)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_without_the_page_there_is_none(wellhead_parts: Wellhead) -> None:
    parts = assemble(wellhead_parts.settings.model_copy(update={"page": False}))
    with opened(parts) as client:
        answer = client.get("/nowhere", headers=BROWSER)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    parts.close()


def test_what_leads_nowhere_is_limited_as_a_failed_login_is(wellhead_parts: Wellhead) -> None:
    parts = assemble(wellhead_parts.settings.model_copy(update={"limit_logins": "2/hour"}))
    with opened(parts) as client:
        answers = [client.get("/nowhere", headers=BROWSER).status_code for _ in range(3)]
    assert answers == [303, 303, 429]
    parts.close()
