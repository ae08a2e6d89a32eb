"""Signing in to the page, asked in the test's own process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from starlette.testclient import TestClient

from wellhead.access.tickets import MOST_OF_ONE, Tickets
from wellhead.api.live import LiveApp
from wellhead.assembled import Wellhead
from wellhead.assembly import assemble
from wellhead.cli.serve import page_address
from wellhead.settings import Settings


@contextmanager
def browser(parts: Wellhead) -> Iterator[TestClient]:
    with TestClient(LiveApp(parts), "http://localhost", follow_redirects=False) as client:
        yield client


@pytest.fixture
def code(wellhead_parts: Wellhead) -> Callable[[], str]:
    """Make codes, as they are printed."""
    path, token = wellhead_parts.settings.sessions_path, wellhead_parts.token.read_or_make()
    return lambda: Tickets(path).issue(token, "sign-in", seconds=60).to_text()


def sessions(parts: Wellhead) -> int:
    return len(list(parts.settings.sessions_path.glob("*.json")))


def test_a_code_is_not_used_up_by_what_only_looks_at_its_address(
    wellhead_parts: Wellhead, code: Callable[[], str]
) -> None:
    address = f"/sign-in?code={code()}"
    with browser(wellhead_parts) as client:
        looks = [client.head(address), client.get(address, headers={"Sec-Purpose": "prefetch;prerender"})]
        assert [(look.status_code, "set-cookie" in look.headers) for look in looks] == [(503, False)] * 2
        assert "You are signed in" in client.get(address).text


def test_a_code_is_used_up_by_whoever_has_signed_in_already(wellhead_parts: Wellhead, code: Callable[[], str]) -> None:
    address = f"/sign-in?code={code()}"
    with browser(wellhead_parts) as client, browser(wellhead_parts) as other:
        assert client.get(f"/sign-in?code={code()}").cookies
        assert "You are signed in" in client.get(address).text
        assert other.get(address).status_code == 403


def test_a_new_session_ends_the_one_before(wellhead_parts: Wellhead) -> None:
    token = wellhead_parts.token.read_or_make()
    with browser(wellhead_parts) as client:
        for _ in range(3):
            assert client.post("/sign-in", data={"token": token}).status_code == 200
        assert client.get("/").status_code == 200
    assert sessions(wellhead_parts) == 1


def test_nobody_fills_the_disk_with_sessions(settings: Settings) -> None:
    parts = assemble(settings.model_copy(update={"limit_write": "2/minute"}))
    token = parts.token.read_or_make()
    with browser(parts) as client:
        answers = [client.post("/sign-in", data={"token": token}) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert int(answers[-1].headers["retry-after"]) > 0
        assert client.get("/").status_code == 200
    parts.close()


def test_the_address_has_no_code_where_no_session_can_be_kept(settings: Settings) -> None:
    assert page_address("http://localhost", "t", settings).startswith("http://localhost/sign-in?code=")
    settings.sessions_path.rename(settings.config_dir / "gone")
    settings.sessions_path.write_text("no directory")
    assert page_address("http://localhost", "t", settings) == "http://localhost/"


def test_who_signs_in_with_many_browsers_has_no_more_sessions_than_one_may(wellhead_parts: Wellhead) -> None:
    parts = assemble(wellhead_parts.settings.model_copy(update={"limit_write": "off"}))
    token = parts.token.read_or_make()
    with browser(parts) as client:
        for _ in range(MOST_OF_ONE + 3):
            client.cookies.clear()
            assert client.post("/sign-in", data={"token": token}).status_code == 200
        assert client.get("/").status_code == 200, "the newest one is good"
    assert sessions(parts) == MOST_OF_ONE
    parts.close()
