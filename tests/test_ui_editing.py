"""Adding and editing in the page, as a browser without scripts does it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient

from support.api import SOURCES, api_of, csv_source, database
from support.canary import Canary
from support.forms import PageForm
from support.team import running_team
from support.types import DeepSource
from wellhead.assembled import Wellhead

BUILT_IN = ("api", "csv", "json", "mysql", "postgres", "redis")
DEEP = {
    "name": "deep one",
    "type": "deep",
    "count": 3,
    "labels": {"team": "sales"},
    "proxy": {"host": "proxy.example.com"},
    "tags": ["a"],
    "options": {"x": {"y": 1}},
    "either": "seven",
}


@pytest.fixture
def page(wellhead_parts: Wellhead) -> Iterator[TestClient]:
    """A browser without scripts that has signed in; there is a type with nested fields too."""
    wellhead_parts.catalog.registry.register_type("deep", DeepSource, None)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    with api_of(wellhead_parts) as client:
        assert client.post("/sign-in", content=f"token={wellhead_parts.token.read_or_make()}", headers=headers).cookies
        yield client


def stored(page: TestClient, document: dict[str, Any]) -> dict[str, Any]:
    """Store a data source by the API, and return it."""
    answer = page.post(SOURCES, json=document)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def again(page: TestClient, source: dict[str, Any]) -> dict[str, Any]:
    """Return a data source as it is stored now."""
    return dict(page.get(f"{SOURCES}/{source['id']}").json())


def edit_form(page: TestClient, source: dict[str, Any]) -> PageForm:
    """Open the form of a data source."""
    return PageForm(page.get(f"/sources/{source['id']}/edit").text)


def secrets(canary: Canary) -> dict[str, Any]:
    """Return a secret at every place where the type with nested fields may have one."""
    return {
        "password": canary.secret(),
        "tokens": {"t": canary.secret()},
        "proxy": {"host": "proxy.example.com", "password": canary.secret()},
        "proxies": {"x": {"host": "other.example.com", "password": canary.secret()}},
        "auth": {"kind": "basic", "user": "u", "password": canary.secret()},
    }


def test_the_types_are_offered_and_those_that_cannot_be_added_are_not(page: TestClient) -> None:
    html = page.get("/add").text
    assert all(f'href="/add/{name}"' in html for name in BUILT_IN)
    assert page.get("/add/nothing").status_code == 404


@pytest.mark.parametrize("type_name", BUILT_IN)
def test_an_empty_form_tells_all_that_is_required_at_once(page: TestClient, type_name: str) -> None:
    answer = PageForm(page.get(f"/add/{type_name}").text).post(page)
    (found,) = [item for item in page.get(f"{SOURCES}/types").json()["items"] if item["name"] == type_name]
    required = ["name", *(item["name"] for item in found["parameters"] if item["required"] and item["default"] is None)]
    missing = [name for name in required if f'href="#field-{name}"' not in answer.text]
    assert (answer.status_code, missing) == (422, [])
    assert answer.text.count('aria-invalid="true"') == len(required)


def test_a_data_source_is_added(page: TestClient, canary: Canary) -> None:
    form = PageForm(page.get("/add/postgres").text)
    form.fill({"/name": "warehouse", "/host": "db.example.com", "/database": "sales", "/username": "reader"})
    form.fill({"/password": canary.secret(), "/port": "5433", "/labels#key": "team", "/labels#value": "sales"})
    answer = form.post(page)
    assert answer.status_code == 303
    found = page.get(f"/api/v1/data{answer.headers['location'].removeprefix('/')}").json()
    assert (found["port"], found["labels"], found["password"]["is_set"]) == (5433, {"team": "sales"}, True)


def test_what_was_typed_is_kept_where_something_is_wrong_and_secrets_are_not(page: TestClient, canary: Canary) -> None:
    form = PageForm(page.get("/add/postgres").text)
    form.fill({"/name": "<b>", "/host": "bad host", "/port": "many", "/password": canary.secret()})
    answer = form.post(page)
    canary.saw(answer.content)
    kept = PageForm(answer.text)
    assert [kept.values(name) for name in ("/name", "/port", "/password")] == [["<b>"], ["many"], [""]]
    assert "Must be an integer." in answer.text
    assert "type again those" in answer.text


def test_a_taken_name_is_told_at_the_name(page: TestClient) -> None:
    stored(page, csv_source("sales"))
    form = PageForm(page.get("/add/csv").text).fill({"/name": "Sales", "/path": "a.csv"})
    answer = form.post(page)
    assert answer.status_code == 409
    assert 'href="#field-name"' in answer.text


def test_a_connection_string_does_for_the_fields(page: TestClient, canary: Canary) -> None:
    text = f"postgresql://reader:{canary.plain_secret()}@db.example.com:5433/sales?sslmode=require"
    form = PageForm(page.get("/add/postgres").text).fill({"/name": "warehouse", "/connection_string": text})
    form.put("/tls_mode", "verify-full")
    assert form.post(page).status_code == 303
    (found,) = page.get(SOURCES).json()["items"]
    assert (found["host"], found["port"], found["tls_mode"]) == ("db.example.com", 5433, "require")


def test_a_script_learns_the_fields_of_a_connection_string_and_no_secret(page: TestClient, canary: Canary) -> None:
    form = PageForm(page.get("/add/postgres").text)
    form.put("/connection_string", f"postgresql://reader:{canary.plain_secret()}@db.example.com/sales")
    answer = form.post(page, path="/connection-string", script=True)
    canary.saw(answer.content)
    assert answer.json() == {
        "fields": {"/username": "reader", "/database": "sales", "/host": "db.example.com"},
        "secrets": ["/password"],
    }
    refused = form.put("/connection_string", "oracle://x").post(page, path="/connection-string", script=True)
    assert (refused.status_code, "postgresql://" in refused.json()["message"]) == (422, True)


@pytest.mark.parametrize("type_name", [*BUILT_IN, "deep"])
def test_a_form_that_is_sent_as_it_came_changes_nothing(page: TestClient, canary: Canary, type_name: str) -> None:
    if type_name == "deep":
        source = stored(page, DEEP | secrets(canary))
    else:
        example = dict(page.get(f"{SOURCES}/types/{type_name}").json()["examples"][0])
        source = stored(page, example)
    answer = edit_form(page, source).post(page)
    assert (answer.status_code, again(page, source)) == (303, source), answer.text


def test_a_value_and_a_secret_are_replaced_and_all_else_stays(page: TestClient, canary: Canary) -> None:
    source = stored(page, database(password=canary.secret(), labels={"team": "sales"}))
    form = edit_form(page, source).fill({"/description": "Orders", "/password": canary.secret()})
    assert form.post(page).status_code == 303
    now = again(page, source)
    assert (now["description"], now["password"]["set_in_revision"], now["labels"]) == ("Orders", 2, {"team": "sales"})


@pytest.mark.parametrize(
    ("how", "more", "after"),
    [("clear", {}, None), ("ref", {"/password#ref": "env:PG_PASSWORD"}, "env:PG_PASSWORD")],
)
def test_a_secret_is_cleared_or_becomes_a_reference(
    page: TestClient, canary: Canary, how: str, more: dict[str, str], after: str | None
) -> None:
    source = stored(page, database(password=canary.secret()))
    form = edit_form(page, source).fill(more)
    form.pairs = [(name, how if name == "/password#how" else value) for name, value in form.pairs]
    assert form.post(page).status_code == 303
    assert (again(page, source)["password"] or {}).get("ref") == after


def test_secrets_are_asked_for_again_where_their_destination_changed(page: TestClient, canary: Canary) -> None:
    source = stored(page, database(password=canary.secret()))
    answer = edit_form(page, source).put("/host", "other.example.com").post(page)
    assert answer.status_code == 422
    assert "You changed where the secrets are sent" in answer.text
    form = PageForm(answer.text)
    assert (form.values("/host"), form.values("/password#how")) == (["other.example.com"], ["value"])
    assert form.put("/password", canary.secret()).post(page).status_code == 303


def test_a_script_gets_the_mistakes_for_their_fields(page: TestClient, canary: Canary) -> None:
    source = stored(page, database(password=canary.secret()))
    answer = edit_form(page, source).put("/host", "other.example.com").put("/port", "0").post(page, script=True)
    assert answer.status_code == 422
    assert list(answer.json()["fields"]) == ["field-port"]
    moved = edit_form(page, source).put("/host", "other.example.com").post(page, script=True)
    assert (moved.status_code, moved.json()["again"]) == (422, ["field-password"])


@pytest.mark.slow  # it starts a process for validations
def test_checks_come_one_by_one_to_a_script_and_all_on_one_page_without(page: TestClient, workspace: Path) -> None:
    (workspace / "sales.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    new = PageForm(page.get("/add/csv").text).put("/path", "sales.csv")
    lines = new.post(page, path="/validate", script=True).text.splitlines()
    assert [name in line for name, line in zip(("locate", "read", "parse"), lines, strict=False)] == [True] * 3
    assert json.loads(lines[-1])["status"] == "passed"
    source = stored(page, csv_source())
    changed = edit_form(page, source).put("/path", "missing.csv").post(page, path="/validate")
    assert changed.status_code == 200
    assert "check failed" in changed.text
    assert PageForm(changed.text).values("/path") == ["missing.csv"]
    assert again(page, source) == source


@pytest.mark.slow  # so does this
def test_only_what_works_is_saved_if_that_is_wanted(page: TestClient) -> None:
    form = PageForm(page.get("/add/csv").text).fill({"/name": "sales", "/path": "missing.csv"})
    answer = form.post(page, more=[("verify", "true")])
    assert (answer.status_code, page.get(SOURCES).json()["total"]) == (422, 0)
    assert "check failed" in answer.text
    assert 'href="#field-path"' in answer.text


def test_a_conflict_shows_both_changes_and_saves_what_is_chosen(page: TestClient) -> None:
    source = stored(page, csv_source(labels={"team": "sales"}))
    form = edit_form(page, source).fill({"/description": "mine", "/path": "mine.csv"})
    page.patch(f"{SOURCES}/{source['id']}", json={"description": "theirs", "labels": {"team": "ops"}})
    answer = form.post(page)
    assert (answer.status_code, again(page, source)["description"]) == (412, "theirs")
    choice = PageForm(answer.text, form="settle")
    choice.put("take:description", "theirs")
    assert choice.post(page).status_code == 303
    now = again(page, source)
    assert (now["description"], now["path"], now["labels"]) == ("theirs", "mine.csv", {"team": "ops"})


def test_all_of_mine_wins_a_conflict_if_that_is_wanted_but_not_what_i_left(page: TestClient) -> None:
    source = stored(page, csv_source())
    form = edit_form(page, source).put("/description", "mine")
    page.patch(f"{SOURCES}/{source['id']}", json={"description": "theirs", "path": "theirs.csv"})
    choice = PageForm(form.post(page).text, form="settle")
    choice.put("take:description", "theirs")
    assert choice.post(page, more=[("all", "mine")]).status_code == 303
    now = again(page, source)
    assert (now["description"], now["path"]) == ("mine", "theirs.csv")


def test_a_secret_in_a_conflict_is_typed_again_and_never_shown(page: TestClient, canary: Canary) -> None:
    source = stored(page, database(password=canary.secret()))
    form = edit_form(page, source).put("/password", canary.secret())
    page.patch(f"{SOURCES}/{source['id']}", json={"description": "theirs"})
    conflict = form.post(page)
    assert "a new value, to be typed again" in conflict.text
    last = PageForm(conflict.text, form="settle").post(page)
    canary.saw(conflict.content + last.content)
    form = PageForm(last.text)
    assert form.values("/password#how") == ["value"]
    assert form.put("/password", canary.secret()).post(page).status_code == 303
    now = again(page, source)
    assert (now["password"]["set_in_revision"], now["description"]) == (3, "theirs")


def test_a_form_about_another_data_source_is_refused(page: TestClient) -> None:
    one, other = stored(page, csv_source("one")), stored(page, csv_source("other"))
    form = edit_form(page, one).put("base", json.dumps(other))
    assert form.post(page).status_code == 400
    assert form.put("base", "[").post(page).status_code == 400


@pytest.mark.parametrize(
    "change",
    [
        {"id": None},
        {"type": {"a": 1}},
        {"type": "../../audit"},
        {"type": "csv"},
        {"revision": "1"},
        {"state": ["ok"]},
        {"name": [1]},
        {"proxy": [1]},
        {"auth": {"kind": ["basic"]}},
        {"password": {"is_set": True}},
        {"password": {"is_set": True, "set_at": "soon", "set_in_revision": 1}},
        {"options": {"is_set": 1}},
    ],
)
def test_what_a_form_carries_may_be_anything(page: TestClient, change: dict[str, Any]) -> None:
    source = stored(page, DEEP)
    base = json.dumps({**source, **change})
    more = [("base", base), ("theirs", base), ("mine", "{}"), ("/name", "")]
    for path in ("", "/validate", "/settle"):
        assert edit_form(page, source).post(page, path=path, more=more).status_code < 500, path


@pytest.mark.parametrize("mine", [{"name": 1}, {"name": {}}, {"password": {"how": 1}}, {"x": {"how": "ref"}}])
def test_what_a_conflict_carries_has_its_form_or_is_refused(page: TestClient, mine: dict[str, Any]) -> None:
    source = stored(page, DEEP)
    more = [("theirs", json.dumps(source)), ("mine", json.dumps(mine))]
    answer = edit_form(page, source).post(page, path="/settle", more=more)
    assert (answer.status_code, "not complete" in answer.text) == (400, True)


def test_a_damaged_record_cannot_be_edited_and_an_unfit_one_is_mended(page: TestClient, workspace: Path) -> None:
    source = stored(page, csv_source())
    file = workspace / ".datasources" / f"{source['id']}.json"
    record = file.read_text()
    file.write_text(record.replace('"sales.csv"', '"../out.csv"'))
    form = edit_form(page, source)
    assert form.put("/path", "in.csv").post(page).status_code == 303
    assert (again(page, source)["state"], again(page, source)["path"]) == ("ok", "in.csv")
    file.write_text("{")
    assert page.get(f"/sources/{source['id']}/edit").status_code == 409


def test_a_field_that_its_type_has_no_more_is_left_out_when_it_is_mended(page: TestClient, workspace: Path) -> None:
    source = stored(page, csv_source())
    file = workspace / ".datasources" / f"{source['id']}.json"
    file.write_text(file.read_text().replace('"encoding"', '"coding"'))
    assert again(page, source)["state"] == "invalid"
    html = page.get(f"/sources/{source['id']}/edit").text
    assert "The type has no coding" in html
    assert PageForm(html).post(page).status_code == 303
    assert (again(page, source)["state"], "coding" in again(page, source)) == ("ok", False)


def test_secrets_that_cannot_be_opened_are_typed_anew(page: TestClient, workspace: Path, canary: Canary) -> None:
    source = stored(page, database(password=canary.secret()))
    file = workspace / ".datasources" / f"{source['id']}.json"
    file.write_text(file.read_text().replace('"127.0.0.1"', '"other.example.com"'))
    assert again(page, source)["state"] == "secret_unavailable"
    form = edit_form(page, source)
    assert form.values("/password#how") == ["value"]
    assert form.put("/password", canary.secret()).post(page).status_code == 303
    assert again(page, source)["state"] == "ok"


@pytest.mark.slow  # it starts a service of several users
def test_those_who_only_read_are_told_so_and_change_nothing(tmp_path: Path) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    with running_team(tmp_path) as team:
        tokens = [team.token(role, role, "sales")["token"] for role in ("editor", "viewer")]
        editor, viewer = (team.client(token, follow_redirects=True) for token in tokens)
        with editor, viewer:
            source = editor.post(SOURCES, json=csv_source()).json()
            viewer.post("/sign-in", content=f"token={tokens[1]}", headers=headers)
            for path in ("/add", "/add/csv", f"/sources/{source['id']}/edit"):
                answer = viewer.get(path)
                assert (answer.status_code, "Your role is viewer" in answer.text) == (403, True)
            csrf = PageForm(viewer.get("/").text, form="who").values("csrf")[0]
            form = urlencode({"csrf": csrf, "base": json.dumps(source), "/name": "mine"})
            for path in ("/add/csv", "/add/csv/validate", f"/sources/{source['id']}/edit"):
                assert viewer.post(path, content=form, headers=headers).status_code == 403
            assert [item["name"] for item in editor.get(SOURCES).json()["items"]] == ["sales"]
