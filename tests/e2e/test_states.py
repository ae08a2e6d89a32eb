"""Records that something is wrong with: listed, told apart, and mended or deleted where they can be."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from support.canary import Canary
from support.documents import Make, document_of, path_of
from support.plugin import install_plugin
from support.service import SOURCES, running_service

Damage = Callable[[Path], None]


def record_of(home: Path, source: dict[str, Any]) -> Path:
    return home / "workspace" / ".datasources" / f"{source['id']}.json"


def edit(path: Path, *keys: str, value: Any) -> None:
    """Change a record by hand."""
    document = json.loads(path.read_text())
    node = document
    for key in keys[:-1]:
        node = node[key]
    node[keys[-1]] = value
    path.write_text(json.dumps(document))


def code_of(answer: httpx2.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["code"])


def state_of(client: httpx2.Client, source: dict[str, Any]) -> str:
    """Return the state of a data source in the list, which is there whatever happened to its record."""
    answer = client.get(SOURCES, params={"limit": 200})
    assert answer.status_code == 200, answer.text
    return str(next(item["state"] for item in answer.json()["items"] if item["id"] == source["id"]))


CORRUPT: dict[str, Damage] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "zeros": lambda path: path.write_bytes(b"\0" * 500),
    "not UTF-8": lambda path: path.write_bytes(b"\xff" * 500),
    "a list": lambda path: path.write_bytes(b"[]"),
    "another id": lambda path: edit(path, "id", value="00000000-0000-4000-8000-000000000000"),
    "no name": lambda path: edit(path, "name", value=None),
    "a revision of text": lambda path: edit(path, "revision", value="1"),
    "deep": lambda path: path.write_bytes(b'{"a":' * 500 + b"1" + b"}" * 500),
    "huge": lambda path: path.write_bytes(b" " * 2_000_000),
}


@pytest.mark.parametrize("damage", CORRUPT.values(), ids=CORRUPT)
def test_D_22_S_07_a_damaged_record_is_listed_and_deleted_by_force_only(
    client: httpx2.Client, make: Make, home: Path, damage: Damage
) -> None:
    source = make("postgres")
    damage(record_of(home, source))
    before = record_of(home, source).read_bytes()
    assert state_of(client, source) == "corrupt"
    for method, more in (("GET", ""), ("PUT", ""), ("PATCH", ""), ("POST", "/validate"), ("DELETE", "")):
        answer = client.request(method, path_of(source) + more, json={} if method != "GET" else None)
        assert code_of(answer, 409) == "record_corrupt"
    assert record_of(home, source).read_bytes() == before
    assert client.delete(path_of(source), params={"force": "true"}).status_code == 204
    assert client.get(path_of(source)).status_code == 404


def test_D_23_a_record_of_a_newer_format_is_shown_and_left_alone(client: httpx2.Client, make: Make, home: Path) -> None:
    source = make("postgres")
    edit(record_of(home, source), "wellhead_format", value=99)
    before = record_of(home, source).read_bytes()
    assert state_of(client, source) == "newer_format"
    read = client.get(path_of(source))
    assert (read.status_code, read.json()["name"], read.json()["state"]) == (200, source["name"], "newer_format")
    for method, more in (("PUT", ""), ("PATCH", ""), ("POST", "/validate"), ("DELETE", "")):
        assert code_of(client.request(method, path_of(source) + more, json={}), 409) == "newer_format"
    assert record_of(home, source).read_bytes() == before
    assert client.delete(path_of(source), params={"force": "true"}).status_code == 204


@pytest.mark.parametrize("kind", ["directory", "symlink", "fifo"])
def test_S_03_what_is_no_file_is_listed_as_unreadable_or_not_at_all(
    client: httpx2.Client, make: Make, home: Path, kind: str
) -> None:
    source = make()
    path = record_of(home, source)
    moved = path.rename(home / f"moved-{source['id']}")
    if kind == "directory":
        path.mkdir()
    elif kind == "symlink":
        path.symlink_to(moved)
    else:
        os.mkfifo(path)
    assert client.get(SOURCES, timeout=5).status_code == 200
    assert code_of(client.get(path_of(source), timeout=5), 409) in {"record_unreadable", "record_corrupt"}
    path.rmdir() if kind == "directory" else path.unlink()


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_record_that_does_not_fit_its_type_is_read_and_mended(
    client: httpx2.Client, make: Make, home: Path, method: str
) -> None:
    source = make("postgres")
    edit(record_of(home, source), "fields", "port", value=0)
    assert state_of(client, source) == "invalid"
    read = client.get(path_of(source))
    assert (read.status_code, read.json()["port"], read.json()["state"]) == (200, 0, "invalid")
    assert code_of(client.post(path_of(source, "validate")), 409) == "invalid_record"
    mended = client.request(method, path_of(source), json=source | {"port": 10} if method == "PUT" else {"port": 10})
    assert (mended.status_code, mended.json()["state"], mended.json()["port"]) == (200, "ok", 10)


def test_a_plugin_that_breaks_on_a_record_does_not_hide_the_others(
    home: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    plugins, workspace = install_plugin(tmp_path_factory.mktemp("plugins")), tmp_path / "workspace"
    workspace.mkdir()
    with running_service(workspace, tmp_path / "config", PYTHONPATH=str(plugins)) as service:
        for document in (document_of("gadget", mood="sad"), document_of()):
            assert service.client.post(SOURCES, json=document).status_code == 201
    variables = {"PYTHONPATH": str(plugins), "GADGET_BREAKS_AT": "sad"}
    with running_service(workspace, tmp_path / "config", **variables) as service:
        states = {item["type"]: item["state"] for item in service.client.get(SOURCES).json()["items"]}
        assert states == {"csv": "ok", "gadget": "invalid"}


def test_C_04_a_host_that_was_edited_in_the_file_gets_no_password(
    client: httpx2.Client, make: Make, home: Path, canary: Canary
) -> None:
    with socket.create_server(("127.0.0.2", 0)) as attacker:
        source = make("postgres", port=attacker.getsockname()[1], password=canary.secret())
        edit(record_of(home, source), "fields", "host", value="127.0.0.2")
        assert state_of(client, source) == "secret_unavailable"
        assert client.get(path_of(source)).json()["state"] == "secret_unavailable"
        result = client.post(path_of(source, "validate")).json()
        assert (result["success"], result["checks"][0]["name"]) == (False, "secrets")
        assert result["checks"][0]["code"] == "secret_unavailable"
        attacker.settimeout(0)
        with pytest.raises(BlockingIOError):
            attacker.accept()


def test_secrets_that_do_not_open_are_mended_by_sending_them_anew(
    client: httpx2.Client, make: Make, home: Path, canary: Canary
) -> None:
    source = make("postgres", password=canary.secret())
    edit(record_of(home, source), "fields", "host", value="127.0.0.2")
    for answer in (
        client.patch(path_of(source), json={"description": "x"}),
        client.put(path_of(source), json=client.get(path_of(source)).json()),
    ):
        assert code_of(answer, 409) == "secret_unavailable"
    answer = client.patch(path_of(source), json={"password": canary.secret()})
    assert (answer.status_code, answer.json()["state"]) == (200, "ok")


def test_C_02_a_secret_that_was_moved_to_another_record_does_not_open(
    client: httpx2.Client, make: Make, home: Path, canary: Canary
) -> None:
    one, other = make("postgres", password=canary.secret()), make("postgres", password=canary.secret())
    secrets = json.loads(record_of(home, one).read_text())["secrets"]
    edit(record_of(home, other), "secrets", value=secrets)
    assert state_of(client, other) == "secret_unavailable"
    assert state_of(client, one) == "ok"


def test_S_04_other_files_in_the_store_are_no_data_sources(client: httpx2.Client, make: Make, home: Path) -> None:
    before, store = client.get(SOURCES).json()["total"], home / "workspace" / ".datasources"
    capitals = "5F3C2D1E-0A4B-4C5D-8E6F-7A8B9C0D1E2F.json"
    for name in ("x.json", "x.json~", "UPPER.JSON", f"{make()['id']}.json.bak", ".x.tmp", capitals):
        (store / name).write_text("{}")
    assert client.get(SOURCES).json()["total"] == before + 1


@pytest.mark.slow
def test_G_16_without_its_plugin_a_data_source_is_kept_listed_and_deletable(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, canary: Canary
) -> None:
    plugins, workspace = install_plugin(tmp_path_factory.mktemp("plugins")), tmp_path / "workspace"
    workspace.mkdir()
    with running_service(workspace, tmp_path / "config", PYTHONPATH=str(plugins)) as service:
        source = service.client.post(SOURCES, json=document_of("gadget", key=canary.secret())).json()
    before = (workspace / ".datasources" / f"{source['id']}.json").read_bytes()
    with running_service(workspace, tmp_path / "config") as service:
        client = service.client
        assert state_of(client, source) == "type_unavailable"
        read = client.get(path_of(source)).json()
        assert (read["state"], read["host"], read["key"]) == ("type_unavailable", "127.0.0.1", source["key"])
        for method, more in (("PUT", ""), ("PATCH", ""), ("POST", "/validate")):
            answer = client.request(method, path_of(source) + more, json=source if method == "PUT" else {})
            assert code_of(answer, 409) == "type_unavailable"
        assert code_of(client.post(SOURCES, json=document_of("gadget")), 422) == "unknown_type"
    assert (workspace / ".datasources" / f"{source['id']}.json").read_bytes() == before
    with running_service(workspace, tmp_path / "config", PYTHONPATH=str(plugins)) as service:
        assert service.client.get(path_of(source)).json() == source
    with running_service(workspace, tmp_path / "config") as service:
        assert service.client.delete(path_of(source)).status_code == 204


def test_an_edit_of_the_file_cannot_change_what_the_server_says(client: httpx2.Client, make: Make, home: Path) -> None:
    source = make("postgres")
    for name in ("id", "revision", "state", "created_at"):
        edit(record_of(home, source), "fields", name, value="evil")
    read = client.get(path_of(source)).json()
    assert (read["id"], read["revision"], read["created_at"]) == (source["id"], 1, source["created_at"])
    assert read["state"] in {"invalid", "corrupt"}
