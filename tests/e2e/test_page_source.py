"""The page of one data source, and validating many from the list: over HTTP, as a browser without scripts does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx2
import pytest

from support.browsing import Visitor, visitor
from support.canary import Canary
from support.documents import Make, document_of, path_of
from support.probe import NO_ID
from support.service import SOURCES, Service
from support.team import TeamService, running_team
from wellhead.access.issued import issue
from wellhead.access.policy import Role
from wellhead.access.principal import Principal
from wellhead.access.token_store import TokenStore

Open = Callable[..., Visitor]


@pytest.fixture(scope="module")
def tokens(home: Path) -> dict[tuple[Role, str], str]:
    """A token for each of those who visit, by role and workspace."""
    (home / "root").mkdir()
    found, store = {}, TokenStore((home / "root").absolute())
    whose: tuple[tuple[Role, str], ...] = (("viewer", "red"), ("editor", "red"), ("admin", "blue"))
    for role, workspace in whose:
        found[role, workspace], kept = issue(Principal(f"{role}@{workspace}", workspace, role), timedelta(hours=1))
        store.add(kept)
    return found


@pytest.fixture(scope="module")
def team(home: Path, tokens: dict[tuple[Role, str], str]) -> Iterator[TeamService]:
    """A live service for several users, which knows the tokens."""
    assert tokens
    with running_team(home, WELLHEAD_LOG_LEVEL="debug", PYTHONASYNCIODEBUG="1") as running:
        yield running


@pytest.fixture
def browse(team: TeamService, tokens: dict[tuple[Role, str], str], canary: Canary) -> Iterator[Open]:
    """Sign in somebody of a role, in a workspace; the token must turn up nowhere else."""
    with ExitStack() as opened:

        def browse(role: Role = "editor", workspace: str = "red") -> Visitor:
            token = canary.watch(tokens[role, workspace])
            return opened.enter_context(visitor(team.service.url, token))

        yield browse


@pytest.fixture
def api(team: TeamService, tokens: dict[tuple[Role, str], str]) -> Iterator[httpx2.Client]:
    """The API, for an editor of the workspace `red`."""
    with team.client(tokens["editor", "red"]) as client:
        yield client


@pytest.fixture
def make(api: httpx2.Client) -> Make:
    def made(kind: str = "csv", **fields: Any) -> dict[str, Any]:
        answer = api.post(SOURCES, json=document_of(kind, **fields))
        assert answer.status_code == 201, answer.text
        return answer.json()

    return made


def page_of(source: dict[str, Any], *more: str) -> str:
    return "/".join(("/sources", source["id"], *more))


def test_a_data_source_is_shown_by_its_fields_and_of_secrets_only_the_facts(
    browse: Open, make: Make, canary: Canary
) -> None:
    pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    source = make("postgres", password=canary.secret(), description="<b>Orders</b>", labels={"team": "sales"})
    text = browse().see(page_of(source))
    for shown in (
        source["name"],
        "PostgreSQL",
        "<dt>Host</dt>",
        "127.0.0.1",
        "<h3>Login</h3>",
        "team",
        "Not validated",
    ):
        assert shown in text
    assert re.search(r"Secret, set <time[^>]+>just now</time> in revision 1", text)
    assert '<p class="description"><b>Orders</b></p>' in text  # as text: `see` has undone the escapes
    assert "Not set: CA certificate" not in text  # which does not apply without TLS
    assert pem not in text


def test_how_to_use_it_says_in_server_mode_what_is_true_there(browse: Open, make: Make, team: TeamService) -> None:
    source = make()
    text = browse().see(page_of(source))
    assert f'curl -sS -H "Authorization: Bearer $WELLHEAD_TOKEN" \\ {team.service.url}{path_of(source)}' in text
    assert "secrets to nobody" in text
    assert "open_workspace" not in text
    assert str(team.root) not in text


def test_validating_without_a_script_leads_back_to_the_checks_and_the_picture(browse: Open, make: Make) -> None:
    source, browser = make(), browse()
    answer = browser.post(page_of(source, "validate"))
    assert (answer.status_code, answer.headers["location"]) == (303, page_of(source) + "?notice=validated")
    text = browser.see(answer.headers["location"])
    for shown in ("What came of it is below", "Fails", '<g class="result failed">', "One result: Fails", "<table>"):
        assert shown in text
    assert 'href="/problems/file_unavailable"' in text
    assert "Check the path" in text


def test_a_script_is_given_each_check_as_it_ends_and_the_result_last(browse: Open, make: Make) -> None:
    answer = browse().post(page_of(make(), "validate"), headers={"X-Part": "lines"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    *checks, result = [json.loads(line) for line in answer.text.splitlines()]
    assert "locate" in checks[0]["html"]
    assert (result["status"], "Fails" in result["html"]) == ("failed", True)


def test_going_back_is_asked_about_and_makes_a_new_revision(browse: Open, make: Make, api: httpx2.Client) -> None:
    source, browser = make(description="first"), browse()
    api.patch(path_of(source), json={"description": "second", "path": "other.csv"})
    text = browser.see(page_of(source))
    assert "Changed: description, path" in text
    assert f'href="{page_of(source, "rollback", "1")}"' in text
    asked = browser.see(page_of(source, "rollback", "1"))
    assert "<code>description</code></li><li><code>path</code>" in asked
    answer = browser.post(page_of(source, "rollback", "1"), revision="2")
    assert (answer.status_code, answer.headers["location"]) == (303, page_of(source) + "?notice=rolled_back")
    assert "was restored, as a new revision" in browser.see(answer.headers["location"])
    read = api.get(path_of(source)).json()
    assert (read["description"], read["revision"]) == ("first", 3)


def test_going_back_shows_what_stands_against_it_and_changes_nothing(
    browse: Open, make: Make, api: httpx2.Client
) -> None:
    source, browser = make(), browse()
    api.patch(path_of(source), json={"name": f"{source['name']} renamed"})
    stale = browser.post(page_of(source, "rollback", "1"), revision="1")
    assert (stale.status_code, "was changed meanwhile" in stale.text) == (412, True)
    assert 'name="revision" value="2"' in stale.text
    make(name=source["name"])
    taken = browser.post(page_of(source, "rollback", "1"), revision="2")
    assert (taken.status_code, 'role="alert"' in taken.text) == (409, True)
    for number in ("9", "0", "x", "9" * 99):
        assert "is not kept" in browser.see(page_of(source, "rollback", number))
        assert browser.post(page_of(source, "rollback", number), revision="2").status_code == 422
    assert api.get(path_of(source)).json()["revision"] == 2


def test_it_is_deleted_only_once_its_name_was_typed(browse: Open, make: Make, api: httpx2.Client) -> None:
    source, browser = make(), browse()
    assert source["name"] in browser.see(page_of(source, "delete"))
    wrong = browser.post(page_of(source, "delete"), name="something else", revision="1")
    assert (wrong.status_code, "This is not the name" in wrong.text) == (422, True)
    api.patch(path_of(source), json={"description": "new"})
    stale = browser.post(page_of(source, "delete"), name=source["name"], revision="1")
    assert (stale.status_code, "was changed meanwhile" in stale.text) == (412, True)
    assert api.get(path_of(source)).status_code == 200
    answer = browser.post(page_of(source, "delete"), name=source["name"], revision="2")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?notice=deleted")
    assert "was deleted, with its history and health" in browser.see("/?notice=deleted")
    browser.see(page_of(source), 404)


def test_a_notice_is_one_of_ours_never_a_text_of_the_address(browse: Open) -> None:
    for notice in ("<b>win</b>", "win", ""):
        text = browse().see(f"/?notice={notice}")
        assert 'id="notice"' not in text
        assert "win<" not in text


def test_a_viewer_is_offered_nothing_and_refused_what_he_posts_all_the_same(
    browse: Open, make: Make, api: httpx2.Client
) -> None:
    source, viewer = make(), browse("viewer")
    api.patch(path_of(source), json={"description": "new"})
    for path in (page_of(source), page_of(source, "delete"), page_of(source, "rollback", "1")):
        text = viewer.see(path)
        assert re.findall('<form[^>]+action="([^"]+)"', text) == ["/sign-out"], path
        assert not re.search(r"href=\"[^\"]*/(edit|delete|rollback)", text), path
    for path, fields in (
        (page_of(source, "validate"), {}),
        (page_of(source, "delete"), {"name": source["name"], "revision": "2"}),
        (page_of(source, "rollback", "1"), {"revision": "2"}),
        ("/validate", {"what": "chosen", "id": source["id"]}),
        ("/validate", {"what": "all"}),
    ):
        answer = viewer.post(path, **fields)
        assert (answer.status_code, "<h1>" in answer.text) == (403, True), path
    read = api.get(path_of(source)).json()
    assert (read["revision"], read["health"]) == (2, None)


def test_what_is_in_another_workspace_or_nowhere_is_a_page_that_says_so(browse: Open, make: Make) -> None:
    source, stranger = make(), browse("admin", "blue")
    for name in (source["id"], NO_ID, "types", "nonsense"):
        for path in ("", "/delete", "/rollback/1"):
            text = stranger.see(f"/sources/{name}{path}", 404)
            assert source["name"] not in text
        for path, fields in (("delete", {"name": source["name"]}), ("rollback/1", {}), ("validate", {})):
            assert stranger.post(f"/sources/{name}/{path}", revision="1", **fields).status_code == 404, (name, path)
    assert source["name"] in browse().see(page_of(source))


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example.com"}])
def test_nothing_is_done_for_a_form_of_another_page(
    browse: Open, make: Make, api: httpx2.Client, headers: dict[str, str]
) -> None:
    source, browser = make(), browse()
    for path in (page_of(source, "delete"), page_of(source, "validate"), page_of(source, "rollback", "1"), "/validate"):
        fields = {"name": source["name"], "revision": "1", "what": "all"}
        if headers:
            answer = browser.post(path, headers, **fields)
        else:
            answer = browser.client.post(path, data={"csrf": "guessed", **fields})
        assert answer.status_code == 403, path
    read = api.get(path_of(source)).json()
    assert (read["revision"], read["health"]) == (1, None)


def edited(key: str, inner: str | None, value: Any) -> Callable[[Path], None]:
    """Return what changes a record by hand."""

    def edit(path: Path) -> None:
        document = json.loads(path.read_text())
        (document if inner is None else document[key])[inner or key] = value
        path.write_text(json.dumps(document))

    return edit


def replace_by_link(path: Path) -> None:
    path.symlink_to(path.rename(path.parent.parent / path.name))


STATES: dict[str, tuple[Callable[[Path], None], str, set[str]]] = {
    "invalid": (edited("fields", "port", 0), "does not fit its type", {"edit", "delete"}),
    "secret_unavailable": (
        edited("fields", "host", "127.0.0.2"),
        "secret does not open",
        {"validate", "edit", "delete"},
    ),
    "type_unavailable": (edited("type", None, "oracle"), "kept as it was stored", {"delete"}),
    "newer_format": (edited("wellhead_format", None, 99), "newer Wellhead", {"delete"}),
    "corrupt": (lambda path: path.write_bytes(b"{") and None, "record is damaged", {"delete"}),
    "unreadable": (replace_by_link, "cannot be opened", {"delete"}),
}


@pytest.mark.parametrize(("damage", "meaning", "offered"), STATES.values(), ids=STATES)
def test_a_state_is_explained_only_what_it_allows_is_offered_and_it_can_be_deleted(
    browse: Open,
    make: Make,
    team: TeamService,
    canary: Canary,
    damage: Callable[[Path], None],
    meaning: str,
    offered: set[str],
) -> None:
    source, browser = make("postgres", password=canary.secret()), browse()
    damage(team.root / "red" / ".datasources" / f"{source['id']}.json")
    text = browser.see(page_of(source))
    assert meaning in text
    assert set(re.findall(rf'(?:href|action)="{page_of(source)}/([a-z]+)"', text)) == offered
    shown = source["name"] if f"<h1>{source['id']}" not in text else source["id"]
    form = browser.see(page_of(source, "delete"))
    revision = re.search('name="revision" value="([0-9]*)"', form)
    assert revision is not None
    answer = browser.post(page_of(source, "delete"), name=shown, revision=revision[1])
    assert answer.status_code == 303, answer.text
    assert source["id"] not in browser.see("/")


def test_many_that_were_chosen_are_validated_each_with_what_came_of_it(
    browse: Open, make: Make, api: httpx2.Client, team: TeamService
) -> None:
    one, other, gone, broken = make(), make(), make(), make()
    api.delete(path_of(gone))
    (team.root / "red" / ".datasources" / f"{broken['id']}.json").write_text("{")
    ids = [found["id"] for found in (one, other, gone, broken)]
    page = browse().post("/validate", what="chosen", id=ids)
    assert page.status_code == 200
    for shown in (one["name"], other["name"], "Deleted meanwhile", "Damaged", "4 validated: 0 work, 4 do not."):
        assert shown in page.text
    lines = (
        browse().post("/validate", headers={"X-Part": "lines"}, what="chosen", id=ids, shown=ids[1:]).text.splitlines()
    )
    found = {line["id"]: (line["status"], line["row"] is not None) for line in map(json.loads, lines)}
    assert found == {
        ids[0]: ("failed", False),  # it is on no page that is seen
        ids[1]: ("failed", True),
        ids[2]: ("gone", False),
        ids[3]: ("corrupt", False),
    }
    api.delete(path_of(broken), params={"force": "true"})


def test_all_that_the_filters_ask_for_are_validated_and_an_empty_choice_is_told(browse: Open, make: Make) -> None:
    label = {"only": "these"}
    chosen, other, browser = make(labels=label), make(), browse()
    page = browser.post("/validate", what="all", label="only:these").text
    assert chosen["name"] in page
    assert f">{other['name']}<" not in page
    assert "1 validated: 0 work, 1 do not." in page
    empty = browser.post("/validate", what="chosen", label="only:these")
    assert (empty.status_code, empty.headers["location"]) == (303, "/?label=only%3Athese&notice=nothing_chosen")
    assert "choose data sources first" in browser.see(empty.headers["location"])


@pytest.mark.slow
def test_in_local_mode_whatever_is_shown_runs_as_it_is_copied(service: Service, home: Path, canary: Canary) -> None:
    secret, name = canary.plain_secret(), "it's $HOME"
    source = service.client.post(SOURCES, json=document_of("postgres", name=name, password=secret)).json()
    with visitor(service.url, service.token) as owner:
        text = owner.get(page_of(source)).text
    snippets = [unescape(found) for found in re.findall(r"<pre class=\"snippet\"><code[^>]+>([^<]+)</code>", text)]
    validate, run, python, read, *_ = snippets
    variables = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "WELLHEAD_CONFIG_DIR": str(home / "config"),
        "WELLHEAD_TOKEN": service.token,
    }

    def output(*command: str, code: int = 0) -> str:
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=variables, cwd="/", timeout=60)
        assert done.returncode == code, done
        return done.stdout

    assert "connect" in output("bash", "-c", validate, code=1)
    assert output("bash", "-c", run) == "127.0.0.1\n"
    assert output("python", "-c", f"{python}\nprint(len(password))") == f"127.0.0.1\n{len(secret)}\n"
    assert json.loads(output("bash", "-c", read))["name"] == name
