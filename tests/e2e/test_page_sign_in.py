"""Signing in to the page: with a token or a code that is good for once, for a while, and from our own pages only."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from support import calls
from support.browsing import Visitor, visitor
from support.canary import Canary
from support.service import Service
from support.team import command, running_team
from wellhead.access.tickets import Tickets
from wellhead.ui.routes import ROUTES, Route

OPEN = {"page.sign_in", "page.static"}
GUARDED = [route for route in ROUTES if route.name not in OPEN]


def path_of(route: Route) -> str:
    return re.sub(r"\{[^}]+\}", "x", route.path)


@pytest.fixture
def stranger(service: Service, home: Path, canary: Canary) -> Iterator[httpx2.Client]:
    """Somebody who has not signed in; the answers must not have the token."""
    canary.watch(service.token)
    canary.put_into(home / "config" / "token")
    with calls.Client(base_url=service.url, timeout=30) as client:
        yield client


@pytest.fixture
def owner(service: Service) -> Iterator[Visitor]:
    """Somebody who has."""
    with visitor(service.url, service.token) as signed_in:
        yield signed_in


def test_A_01_every_page_and_every_form_asks_to_sign_in(stranger: httpx2.Client) -> None:
    for route in GUARDED:
        answer = stranger.request(route.method, path_of(route), data={"csrf": "x"})
        assert (route, answer.status_code, answer.headers["location"]) == (route, 303, "/sign-in")


def test_A_16_no_form_does_anything_without_the_mark_of_the_session(owner: Visitor) -> None:
    for route in GUARDED:
        if route.method == "POST":
            answer = owner.client.post(path_of(route), data={"csrf": "x"})
            assert (route, answer.status_code) == (route, 403)


def test_the_token_signs_in_and_is_in_no_cookie_and_no_page(
    service: Service, stranger: httpx2.Client, canary: Canary
) -> None:
    answer = stranger.post("/sign-in", data={"token": f" {service.token}\n"})
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    canary.saw(cookie + answer.text + stranger.get("/").text)
    assert "Data sources" in stranger.get("/").text


def test_A_15_a_wrong_token_is_refused_in_one_way(stranger: httpx2.Client) -> None:
    for token in ("", "wrong", "wh_" + "x" * 43, "é", "x" * 9000, "\x00"):
        answer = stranger.post("/sign-in", data={"token": token})
        assert (token, answer.status_code, "set-cookie" in answer.headers) == (token, 403, False)
        assert "This token is not known, or it is over." in answer.text
        assert not token or token not in answer.text.removeprefix("<!doctype html>")


def test_a_code_signs_in_once(home: Path, service: Service, stranger: httpx2.Client) -> None:
    code = Tickets(home / "config" / "sessions").issue(service.token, "sign-in", seconds=60).to_text()
    assert "You are signed in" in stranger.get("/sign-in", params={"code": code}).text
    assert stranger.get("/").status_code == 200
    with calls.Client(base_url=service.url) as late:
        answer = late.get("/sign-in", params={"code": code})
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
    assert "used already, or is too old" in answer.text


def test_signing_out_ends_the_session_for_whoever_has_its_cookie(owner: Visitor, service: Service) -> None:
    stolen = dict(owner.client.cookies)
    assert owner.post("/sign-out").headers["location"] == "/sign-in"
    with calls.Client(base_url=service.url, cookies=stolen) as thief:
        assert thief.get("/").status_code == 303


def test_a_session_is_no_token_of_the_api(owner: Visitor) -> None:
    assert owner.get("/api/v1/datasources").status_code == 401
    cookie = next(iter(owner.client.cookies.values()))
    assert owner.get("/api/v1/datasources", headers={"Authorization": f"Bearer {cookie}"}).status_code == 401


def test_a_token_of_the_api_is_no_session(service: Service) -> None:
    assert service.client.get("/").status_code == 303


def test_A_16_forms_of_other_sites_do_nothing(owner: Visitor) -> None:
    for name, value in [
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ]:
        assert (value, owner.post("/sign-out", headers={name: value}).status_code) == (value, 403)
    assert owner.get("/").status_code == 200


def test_A_16_forms_without_the_mark_of_the_session_do_nothing(owner: Visitor) -> None:
    for mark in ({"x": "x"}, {"csrf": ""}, {"csrf": "é"}, {"csrf": owner.csrf + "x"}):
        assert owner.client.post("/sign-out", data=mark).status_code == 403
    assert owner.get("/").status_code == 200


def test_A_16_nobody_is_signed_in_by_a_form_of_another_site(service: Service, stranger: httpx2.Client) -> None:
    answer = stranger.post("/sign-in", data={"token": service.token}, headers={"Origin": "https://evil.example"})
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


def test_what_is_no_form_is_refused(owner: Visitor) -> None:
    for kind in ("application/json", "multipart/form-data; boundary=x", "text/plain"):
        answer = owner.client.post("/validate", content=b"csrf=x", headers={"Content-Type": kind})
        assert (answer.status_code, "The form was not understood" in answer.text) == (400, True)


def test_a_form_that_is_too_long_or_no_text_is_refused(owner: Visitor) -> None:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    for content in (b"a=" + b"x" * (600 << 10), b"a=%ff", b"a=\xff", b"&".join([b"a=1"] * 3000)):
        assert owner.client.post("/validate", content=content, headers=kind).status_code == 400


def test_O_05_pages_have_a_strict_policy(owner: Visitor) -> None:
    headers = owner.get("/").headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["cache-control"] == "no-store"
    assert not re.search(r"<script(?![^>]*src=)|\son[a-z]+=|style=|javascript:", owner.get("/").text)


def test_files_of_the_page_are_kept_by_browsers_and_others_are_not_there(stranger: httpx2.Client) -> None:
    address = re.search(r'href="(/static/[^"]+app\.css)"', stranger.get("/sign-in").text)
    assert address is not None
    answer = stranger.get(address[1], headers={"Accept-Encoding": "gzip"})
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-encoding"] == "gzip"
    assert ".badge" in answer.text
    for name in ("../app.css", "..%2f__init__.py", "vendor", "nothing.css"):
        assert stranger.get(f"/static/0/{name}").status_code in {401, 404}


def test_A_13_a_revoked_token_ends_its_sessions_within_two_seconds(tmp_path: Path) -> None:
    with running_team(tmp_path) as team:
        issued = team.token("ann", "viewer", "red")
        with visitor(team.service.url, issued["token"]) as ann:
            assert ">ann <" in ann.get("/").text
            command(team.config, "token", "revoke", "--root", str(team.root), issued["id"])
            time.sleep(2)
            assert ann.get("/").status_code == 303
