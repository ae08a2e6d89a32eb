"""History and rollback over HTTP."""

import getpass
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from support.canary import Canary
from support.command import CommandLine
from support.documents import Make, path_of
from support.probe import NO_ID
from support.service import SOURCES


def patched(client: httpx2.Client, source: dict[str, Any], **changes: Any) -> dict[str, Any]:
    answer = client.patch(path_of(source), json=changes)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def history(client: httpx2.Client, source: dict[str, Any]) -> list[dict[str, Any]]:
    answer = client.get(path_of(source, "history"))
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def roll_back(client: httpx2.Client, source: dict[str, Any], body: Any, **headers: str) -> httpx2.Response:
    return client.post(path_of(source, "rollback"), json=body, headers=headers)


def test_the_history_has_who_when_and_the_names_of_what_changed(
    client: httpx2.Client, make: Make, canary: Canary
) -> None:
    source = make("postgres", password=canary.secret())
    two = patched(client, source, description="The nightly copy.", port=10, password=canary.secret())
    assert patched(client, source, description="The nightly copy.")["revision"] == 2
    three = patched(client, source, password=None)
    who = getpass.getuser()
    assert history(client, source) == [
        {"revision": 2, "at": three["updated_at"], "by": who, "changed": ["password"]},
        {"revision": 1, "at": two["updated_at"], "by": who, "changed": ["description", "password", "port"]},
    ]


def test_a_rollback_answers_as_a_read_does_with_the_secret_and_the_destination_of_then(
    client: httpx2.Client, make: Make, canary: Canary
) -> None:
    source = make("postgres", password=canary.secret(), labels={"team": "sales"})
    patched(client, source, host="127.0.0.2", password=canary.secret(), labels=None)
    answer = roll_back(client, source, {"revision": 1}, **{"If-Match": '"2"'})
    assert (answer.status_code, answer.headers["etag"]) == (200, '"3"')
    restored = answer.json()
    assert restored == client.get(path_of(source)).json()
    assert (restored["host"], restored["labels"], restored["state"]) == ("127.0.0.1", {"team": "sales"}, "ok")
    assert (restored["health"], restored["password"]["set_in_revision"]) == (None, 3)
    assert [item["revision"] for item in history(client, source)] == [2, 1]
    again = client.put(path_of(source), json=restored)
    assert (again.status_code, again.headers["etag"]) == (200, '"3"')


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"revision": 2}, "/revision", "revision_not_kept"),
        ({"revision": 10**15}, "/revision", "revision_not_kept"),
        ({"revision": 0}, "/revision", "out_of_range"),
        ({"revision": -1}, "/revision", "out_of_range"),
        ({"revision": "1"}, "/revision", "wrong_type"),
        ({"revision": True}, "/revision", "wrong_type"),
        ({"revision": 1.5}, "/revision", "wrong_type"),
        ({"revision": None}, "/revision", "required"),
        ({}, "/revision", "required"),
        ({"revision": 1, "revison": 1}, "/revison", "unknown_field"),
    ],
)
def test_what_is_no_revision_that_is_kept_is_refused(
    client: httpx2.Client, make: Make, body: dict[str, Any], pointer: str, code: str
) -> None:
    source = make()
    answer = roll_back(client, source, body)
    assert answer.status_code == 422, answer.text
    assert (answer.json()["code"], answer.json()["errors"][0]["pointer"]) == (code, pointer)
    assert client.get(path_of(source)).json() == source


def test_the_revisions_that_can_be_restored_are_told(client: httpx2.Client, make: Make) -> None:
    source = make()
    for text in ("a", "b"):
        patched(client, source, description=text)
    assert roll_back(client, source, {"revision": 9}).json()["errors"][0]["allowed"] == [2, 1]


def test_a_rollback_is_refused_for_another_revision_a_taken_name_and_another_media_type(
    client: httpx2.Client, make: Make
) -> None:
    source = make()
    patched(client, source, name=f"{source['name']} renamed")
    assert roll_back(client, source, {"revision": 1}, **{"If-Match": '"1"'}).status_code == 412
    other = make(name=source["name"])
    taken = roll_back(client, source, {"revision": 1})
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
    assert client.delete(path_of(other)).status_code == 204
    text = {"Content-Type": "text/plain"}
    assert client.post(path_of(source, "rollback"), content=b'{"revision": 1}', headers=text).status_code == 415
    assert roll_back(client, source, {"revision": 1}, **{"If-Match": '"2"'}).status_code == 200


def test_there_is_no_history_of_what_is_not_there_and_none_is_left_of_what_was_deleted(
    client: httpx2.Client, make: Make
) -> None:
    source = make()
    patched(client, source, description="a")
    assert client.delete(path_of(source)).status_code == 204
    for path in (path_of(source), f"{SOURCES}/{NO_ID}", f"{SOURCES}/nonsense"):
        assert client.get(f"{path}/history").status_code == 404
        assert client.post(f"{path}/rollback", json={"revision": 1}).status_code == 404


def test_D_23_D_26_whatever_is_tried_a_newer_format_and_its_history_keep_every_byte(
    client: httpx2.Client, make: Make, home: Path
) -> None:
    source = make("postgres", password="of then")
    patched(client, source, description="a")
    store = home / "workspace" / ".datasources"
    files = [store / f"{source['id']}.{ending}" for ending in ("json", "history.jsonl")]
    for path in files:
        path.write_text(re.sub('"wellhead_format": ?1', '"wellhead_format": 99', path.read_text()))
    before = [path.read_bytes() for path in files]
    assert client.get(path_of(source)).json()["state"] == "newer_format"
    assert history(client, source) == []
    for method, more, body in (
        ("PUT", (), {}),
        ("PATCH", (), {"description": "b"}),
        ("POST", ("validate",), {}),
        ("POST", ("rollback",), {"revision": 1}),
        ("DELETE", (), None),
    ):
        answer = client.request(method, path_of(source, *more), json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "newer_format"), method
    wellhead = CommandLine(home / "workspace")
    config = {"WELLHEAD_CONFIG_DIR": str(home / "config")}
    for command, code in (
        (("doctor", "--repair"), 1),
        (("edit", source["id"], "--set", "description=b"), 1),
        (("rollback", source["id"], "1"), 1),
        (("history", source["id"]), 0),
        (("history", source["id"], "--purge-secrets"), 1),
        (("validate", source["id"]), 1),
        (("remove", source["id"], "--yes"), 1),
        (("list",), 0),
    ):
        wellhead(*command, code=code, **config)
    assert [path.read_bytes() for path in files] == before
    assert client.delete(path_of(source), params={"force": "true"}).status_code == 204
    assert not [path for path in files if path.exists()]


def test_the_query_of_a_history_is_read_strictly(client: httpx2.Client, make: Make) -> None:
    source = make()
    assert client.get(path_of(source, "history"), params={"limit": 1}).status_code == 422
    assert client.post(path_of(source, "rollback"), params={"x": 1}, json={"revision": 1}).status_code == 422
    assert client.post(path_of(source, "history")).status_code == 405
