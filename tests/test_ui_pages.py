"""Pages of what is installed, of the audit log and of the health by type, asked in the test's own process."""

from __future__ import annotations

import re
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from support.api import SOURCES, api, csv_source  # noqa: F401  # a fixture
from support.browsing import Visitor
from support.programs import missing_service
from wellhead.assembled import Wellhead


@pytest.fixture
def owner(api: TestClient, wellhead_parts: Wellhead) -> Visitor:  # noqa: F811
    """Somebody who has signed in, and may do everything."""
    token = wellhead_parts.token.read_or_make()
    with TestClient(api.app, "http://localhost", follow_redirects=False) as client:
        assert client.post("/sign-in", data={"token": token}).status_code == 200
        yield Visitor(client)


def shown(owner: Visitor, path: str) -> str:
    answer = owner.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_the_style_sheet_closes_what_it_opens_before_the_next_part() -> None:
    text = (files("wellhead.ui") / "static" / "app.css").read_text(encoding="utf-8")
    for part in re.split(r"^/\* ", text, flags=re.MULTILINE):
        assert part.count("{") == part.count("}"), part.partition("\n")[0]


def test_a_type_is_shown_with_fields_examples_and_schema(owner: Visitor) -> None:
    assert re.search(r'<a href="/plugins/postgres">PostgreSQL</a> <code>postgres</code>', shown(owner, "/plugins"))
    page = shown(owner, "/plugins/postgres")
    for text in ("<code>tls_mode</code>", ">required<", ">secret<", "verify-full", "my-postgres", "$defs"):
        assert text in page
    for name in ("bogus", "%C3%A9%20%3F", "..%2f..%2faudit"):
        assert owner.get(f"/plugins/{name}").status_code in {401, 404}


def test_the_audit_log_is_searched_and_paged(owner: Visitor, api: TestClient) -> None:  # noqa: F811
    for number in range(51):
        api.post(SOURCES, json=csv_source(f"source <{number}>"))
    api.post(SOURCES, json=csv_source("source <0>"))
    newest = shown(owner, "/audit?operation=create")
    assert "source &lt;50&gt;" in newest
    assert "source &lt;1&gt;" not in newest
    assert '<a href="/problems/name_taken">' in newest
    following = re.search(r'rel="next" href="([^"]+)"', newest)
    assert following is not None
    assert "source &lt;1&gt;" in shown(owner, following[1].replace("&amp;", "&"))
    assert "source &lt;50&gt;" not in shown(owner, "/audit?data_source=source+%3C7%3E")
    assert "Nothing was done that fits." in shown(owner, "/audit?to=2020-01-01")


def test_what_the_api_does_not_take_is_said_beside_its_field_and_kept(owner: Visitor) -> None:
    page = shown(owner, "/audit?user=%C3%A9&from=soon&cursor=x")
    assert page.count('aria-invalid="true"') == 2
    assert 'value="é"' in page
    assert "Must be an instant" in page
    assert "Start again" in page


def test_the_health_by_type_is_in_the_list_and_a_part_of_its_own(
    owner: Visitor,
    api: TestClient,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = re.compile(r'href="/\?type=csv&amp;health=none&amp;state=ok">.*Not validated <strong>1</strong>')
    api.post(SOURCES, json=csv_source())
    assert wanted.search(shown(owner, "/"))
    part = owner.get("/summary", headers={"X-Part": "summary"}).text
    assert wanted.search(part)
    assert "<html" not in part
    monkeypatch.setattr("wellhead.ui.summary.INLINE_UP_TO", 0)
    api.post(SOURCES, json=csv_source("another"))
    late = shown(owner, "/")
    assert wanted.search(late), "of very many it is as it was last"
    assert 'data-fresh="no"' in late
    assert "Not validated <strong>2</strong>" in shown(owner, "/summary")


@pytest.mark.slow
def test_the_tests_with_a_browser_are_among_the_slow_ones() -> None:
    if find_spec("playwright") is None:
        missing_service("Playwright is not there, so no test drives a browser: it is in the group `browser`")
    assert list((Path(__file__).parent / "browser").glob("test_*.py"))
