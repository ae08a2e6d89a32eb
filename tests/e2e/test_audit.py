"""The audit log of a live service: with several workers, after a kill, and for several users."""

import json
import os
import signal
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2

from support import calls
from support.api import csv_source
from support.service import SOURCES, running_service
from support.team import command, issue, running_team

AUDIT = "/api/v1/audit"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_after_a_kill_the_log_has_every_change_that_was_answered(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    answered: list[str] = []
    with running_service(tmp_path / "workspace", tmp_path / "config") as service:
        headers = {"Authorization": f"Bearer {service.token}"}

        def write(writer: int) -> None:
            with calls.Client(base_url=service.url, headers=headers, timeout=30) as client:
                for number in range(10_000):
                    try:
                        answer = client.post(SOURCES, json=csv_source(f"{writer} {number}"))
                    except httpx2.TransportError:
                        return
                    if answer.status_code == 201:
                        answered.append(answer.json()["id"])

        writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for writer in writers:
            writer.start()
        while len(answered) < 40:
            assert any(writer.is_alive() for writer in writers)
        os.kill(service.process.pid, signal.SIGKILL)
        for writer in writers:
            writer.join()
    found = [line["id"] for line in lines(tmp_path / "config" / "audit.jsonl")]
    assert set(answered) <= set(found)
    assert len(found) == len(set(found))


def test_two_workers_write_one_log_and_an_end_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    with running_service(tmp_path / "workspace", tmp_path / "config", workers=2) as service:
        headers = {"Authorization": f"Bearer {service.token}", "Connection": "close"}
        for number in range(10):
            document = csv_source(f"number {number}")
            answer = calls.post(service.url + SOURCES, json=document, headers=headers, timeout=30)
            assert answer.status_code == 201
            one = f"{service.url}{SOURCES}/{answer.json()['id']}"
            assert calls.post(f"{one}/validate", headers=headers, timeout=60).status_code == 200
        page = service.client.get(AUDIT, params={"operation": "create"}).json()
        assert [item["name"] for item in page["items"]] == [f"number {number}" for number in range(9, -1, -1)]
        assert {item["address"] for item in page["items"]} == {"127.0.0.1"}
    found = lines(tmp_path / "config" / "audit.jsonl")
    assert [line["operation"] for line in found].count("validate") == 10
    shown = json.loads(command(tmp_path / "config", "audit", "--json", "-w", str(tmp_path / "workspace")))
    assert len(shown["items"]) == 20


def test_an_administrator_sees_one_workspace_and_others_see_nothing(tmp_path: Path) -> None:
    with running_team(tmp_path) as team:

        def token(user: str, role: str, workspace: str) -> str:
            made: str = issue(team.root, team.config, "--user", user, "--role", role, "--workspace", workspace)["token"]
            return made

        boss, editor, other = token("boss", "admin", "red"), token("ed", "editor", "red"), token("max", "admin", "blue")

        def ask(who: str, method: str, path: str, **more: Any) -> httpx2.Response:
            headers = {"Authorization": f"Bearer {who}"}
            return calls.request(method, team.service.url + path, headers=headers, timeout=30, **more)

        assert ask(editor, "POST", SOURCES, json=csv_source()).status_code == 201
        assert ask(other, "POST", SOURCES, json=csv_source("another")).status_code == 201
        assert ask(editor, "GET", AUDIT).status_code == 403
        items = ask(boss, "GET", AUDIT).json()["items"]
        seen = [(item["operation"], item["workspace"], item["name"], item["role"]) for item in items]
        assert seen == [
            ("create", "red", "sales", None),
            ("create_token", "red", "ed", "editor"),
            ("create_token", "red", "boss", "admin"),
        ]
        assert (team.root / ".audit").stat().st_mode & 0o777 == 0o700
        shown = json.loads(command(team.config, "audit", "--root", str(team.root), "--json"))
        assert {item["workspace"] for item in shown["items"]} == {"red", "blue"}


def test_what_commands_do_in_a_workspace_of_a_service_is_in_the_log_of_the_service(tmp_path: Path) -> None:
    with running_team(tmp_path) as team, ExitStack() as stack:
        boss, other = (
            stack.enter_context(team.client(team.token(user, "admin", workspace)["token"]))
            for user, workspace in (("boss", "red"), ("max", "blue"))
        )
        for client in (boss, other):
            assert client.post(SOURCES, json=csv_source()).status_code == 201
        red = str(team.root / "red")
        command(team.config, "keys", "rotate", "--workspace", red)
        command(team.config, "edit", "sales", "--set", "path=b.csv", "--workspace", red)
        command(team.config, "keys", "add", "--workspace", str(team.root))
        done = ["update", "rotate_keys", "create", "create_token"]
        assert operations(boss.get(AUDIT).json()) == done
        assert operations(other.get(AUDIT).json()) == ["create", "create_token"]
        assert operations(json.loads(command(team.config, "audit", "--workspace", red, "--json"))) == done
        everything = operations(json.loads(command(team.config, "audit", "--root", str(team.root), "--json")))
        assert everything == ["add_key", "update", "rotate_keys", "create", "create", "create_token", "create_token"]


def operations(page: dict[str, Any]) -> list[str]:
    return [item["operation"] for item in page["items"]]
