"""Validating over HTTP: against a real PostgreSQL, real files, and servers that are not there."""

import json
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from support.canary import Canary
from support.documents import Make, document_of, path_of
from support.postgres import Postgres
from support.service import SOURCES, Service


def reaching(postgres: Postgres, **more: Any) -> dict[str, Any]:
    """Return the fields of a data source that works."""
    fields = {"host": "localhost", "port": postgres.port, "database": "shop", "username": "reader"}
    return fields | {"password": postgres.password, "tls_mode": "disable", **more}


def test_a_database_that_works_passes_every_check(client: httpx2.Client, make: Make, postgres: Postgres) -> None:
    result = client.post(path_of(make("postgres", **reaching(postgres)), "validate")).json()
    assert result["success"] is True
    names = [check["name"] for check in result["checks"]]
    assert names == ["secrets", "resolve", "connect", "tls", "authenticate", "query", "permissions"]
    assert {check["code"] for check in result["checks"] if check["status"] == "passed"} == {None}
    assert result["errors"] == []


def test_a_wrong_password_fails_its_check_and_names_the_fields(
    client: httpx2.Client, make: Make, postgres: Postgres, canary: Canary
) -> None:
    source = make("postgres", **reaching(postgres, password=canary.secret()))
    result = client.post(path_of(source, "validate")).json()
    failed = next(check for check in result["checks"] if check["status"] == "failed")
    assert (result["status"], failed["name"], failed["code"]) == ("failed", "authenticate", "auth_failed")
    assert "/password" in failed["fields"]
    assert [check["status"] for check in result["checks"]][-2:] == ["skipped", "skipped"]


def test_changes_are_tried_and_not_saved(client: httpx2.Client, make: Make, postgres: Postgres, canary: Canary) -> None:
    source = make("postgres", **reaching(postgres, password=canary.secret()))
    body = {"changes": {"password": postgres.password}}
    assert client.post(path_of(source, "validate"), json=body).json()["success"] is True
    assert client.get(path_of(source)).json() == source


@pytest.mark.parametrize("is_tried", [False, True])
def test_changes_are_tried_under_the_conditions_of_a_patch(client: httpx2.Client, make: Make, is_tried: bool) -> None:
    other, source = make(), make()

    def send(patch: dict[str, Any], revision: int = 1) -> tuple[int, str | None]:
        headers = {"if-match": f'"{revision}"'}
        if is_tried:
            answer = client.post(path_of(source, "validate"), json={"changes": patch}, headers=headers)
        else:
            answer = client.patch(path_of(source), json=patch, headers=headers)
        return answer.status_code, answer.json().get("code")

    assert send({"description": "x"}, 7) == (412, "revision_mismatch")
    assert send({"revision": 7}) == (412, "revision_mismatch")
    assert send({"name": other["name"].upper()}) == (409, "name_taken")
    assert send({"name": source["name"].upper()}) == (200, None)


def test_what_is_stored_is_validated_for_the_revision_that_is_asked_for(client: httpx2.Client, make: Make) -> None:
    path = path_of(make(), "validate")
    assert client.post(path, headers={"if-match": '"7"'}).status_code == 412
    assert client.post(path, headers={"if-match": '"1"'}).status_code == 200


@pytest.mark.parametrize("is_saved", [True, False])
def test_lines_come_check_by_check_and_end_with_the_result(
    client: httpx2.Client, make: Make, postgres: Postgres, is_saved: bool
) -> None:
    document = reaching(postgres)
    path = path_of(make("postgres", **document), "validate") if is_saved else f"{SOURCES}/validate"
    body = {} if is_saved else document_of("postgres", **document)
    answer = client.post(path, json=body, headers={"accept": "application/x-ndjson"})
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [next(iter(line)) for line in lines] == ["check"] * (len(lines) - 1) + ["result"]
    assert [line["check"]["name"] for line in lines[:-1]] == [check["name"] for check in lines[-1]["result"]["checks"]]


def test_errors_come_before_any_line(client: httpx2.Client, make: Make) -> None:
    lines = {"accept": "application/x-ndjson"}
    source = make("postgres")
    for body, status in (({"changes": {"port": 0}}, 422), ({"changes": []}, 422), ({"bogus": 1}, 422)):
        answer = client.post(path_of(source, "validate"), json=body, headers=lines)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    answer = client.post(f"{SOURCES}/validate", json=document_of("postgres", port=0), headers=lines)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


def test_what_is_unsaved_is_validated_without_a_name(client: httpx2.Client, postgres: Postgres) -> None:
    document = document_of("postgres", **reaching(postgres))
    del document["name"]
    before = client.get(SOURCES).json()["total"]
    assert client.post(f"{SOURCES}/validate", json=document).json()["success"] is True
    assert client.get(SOURCES).json()["total"] == before


def test_a_name_that_is_taken_may_be_validated(client: httpx2.Client, make: Make) -> None:
    document = document_of(name=make()["name"])
    assert client.post(f"{SOURCES}/validate", json=document).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_with_verify_only_what_works_is_saved(
    client: httpx2.Client, make: Make, postgres: Postgres, method: str
) -> None:
    source = make("postgres", **reaching(postgres))
    path = SOURCES if method == "POST" else path_of(source)
    bad, good = {"port": 1, "password": "x"}, {"password": postgres.password}
    for change, works in ((bad, False), (good, True)):
        document = change if method == "PATCH" else document_of("postgres", **reaching(postgres)) | change
        answer = client.request(method, path, json=document, params={"verify": "true"})
        assert answer.is_success is works, answer.text
    assert answer.json()["health"]["status"] in {"passed", "warning"}


def test_what_fails_to_verify_comes_with_its_result(client: httpx2.Client, make: Make) -> None:
    before = client.get(SOURCES).json()["total"]
    answer = client.post(SOURCES, params={"verify": "true"}, json=document_of("postgres", port=1))
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert answer.json()["result"]["errors"][0]["code"] == "connection_refused"
    assert client.get(SOURCES).json()["total"] == before


def test_health_is_the_newest_result_until_a_change(client: httpx2.Client, make: Make, home: Path) -> None:
    (home / "workspace" / "sales.csv").write_text("a,b\n1,2\n")
    source = make(path="sales.csv")
    result = client.post(path_of(source, "validate")).json()
    health = client.get(path_of(source)).json()["health"]
    assert health.keys() == {"status", "checked_at", "revision", "duration_ms"}
    assert (health["status"], health["checked_at"], health["revision"]) == ("passed", result["started_at"], 1)
    assert client.patch(path_of(source), json={"path": "other.csv"}).json()["health"] is None


def test_a_read_with_health_can_be_put_back(client: httpx2.Client, make: Make) -> None:
    source = make()
    client.post(path_of(source, "validate"))
    read = client.get(path_of(source))
    answer = client.put(path_of(source), json=read.json())
    assert (answer.headers["ETag"], answer.json()) == ('"1"', read.json())


def test_the_last_fifty_results_are_kept_newest_first(client: httpx2.Client, make: Make) -> None:
    source = make()
    for _ in range(53):
        last = client.post(path_of(source, "validate")).json()
    items = client.get(path_of(source, "health")).json()["items"]
    assert len(items) == 50
    assert items[0]["started_at"] == last["started_at"]
    assert items == sorted(items, key=lambda item: item["started_at"], reverse=True)


def test_the_results_of_changes_are_not_kept(client: httpx2.Client, make: Make) -> None:
    source = make()
    client.post(path_of(source, "validate"), json={"changes": {"path": "other.csv"}})
    assert client.get(path_of(source, "health")).json() == {"items": []}


def test_a_server_that_says_nothing_is_given_up_at_the_deadline(
    client: httpx2.Client, make: Make, blackhole: int
) -> None:
    source = make("postgres", port=blackhole, password="x")
    started = time.monotonic()
    result = client.post(path_of(source, "validate"), params={"timeout": "0.5"}).json()
    assert result["status"] == "timeout"
    assert time.monotonic() - started < 2
    assert [check["status"] for check in result["checks"]][:3] == ["passed", "passed", "passed"]


@pytest.mark.parametrize("timeout", ["0", "61", "x", "-1"])
def test_a_time_out_that_is_none_is_refused(client: httpx2.Client, make: Make, timeout: str) -> None:
    for path in (path_of(make(), "validate"), f"{SOURCES}/validate"):
        answer = client.post(path, params={"timeout": timeout}, json={"changes": {}} if "validate" in path[-8:] else {})
        assert answer.status_code == 422


@pytest.mark.parametrize(
    "path",
    ["../config/token", "/etc/passwd", ".datasources/workspace.json", "x/../../config/keys.json", "/proc/self/environ"],
)
def test_F_01_F_09_no_path_leads_out_of_the_workspace_or_into_the_store(client: httpx2.Client, path: str) -> None:
    answer = client.post(f"{SOURCES}/validate", json=document_of(path=path))
    if answer.status_code == 200:
        assert answer.json()["success"] is False
        assert answer.json()["checks"][-1]["name"] != "parse" or answer.json()["checks"][-1]["status"] == "skipped"
    else:
        assert answer.json()["code"] == "path_syntax"


def test_L_16_no_password_is_in_a_worker_while_it_validates(
    client: httpx2.Client, service: Service, make: Make, canary: Canary, blackhole: int
) -> None:
    source = make("postgres", port=blackhole, password=canary.secret())
    lines = {"accept": "application/x-ndjson"}
    with client.stream("POST", path_of(source, "validate"), params={"timeout": "1"}, headers=lines) as answer:
        for line in answer.iter_lines():
            canary.saw(line)
            canary.search()
