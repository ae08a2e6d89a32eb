"""`wellhead keys`, run as a command."""

import json
from pathlib import Path

import pytest

from support.canary import Canary
from support.command import CommandLine
from support.service import SOURCES, running_service

DATABASE = ("--set", "host=127.0.0.1", "--set", "port=9", "--set", "database=sales", "--set", "username=reader")


@pytest.fixture
def wellhead(workspace: Path) -> CommandLine:
    """The command line in an empty workspace."""
    return CommandLine(workspace)


def add(wellhead: CommandLine, name: str, secret: str) -> str:
    """Add a data source with a secret, and return its id."""
    wellhead("add", "postgres", "--name", name, *DATABASE, "--secret-env", "password=PW", PW=secret)
    return str(wellhead("show", name, "--json").document["id"])


def password_of(wellhead: CommandLine, name: str) -> str:
    return wellhead("run", name, "--", "sh", "-c", 'printf %s "$WELLHEAD_PASSWORD"').out


def test_keys_are_listed_made_rotated_and_retired_and_the_audit_log_has_it(
    wellhead: CommandLine, canary: Canary, tmp_path: Path
) -> None:
    assert "wellhead keys add" in wellhead("keys", "list").out
    secret = canary.plain_secret()
    add(wellhead, "db", secret)
    old = wellhead("keys", "list", "--json").document["items"][0]
    assert (old["state"], old["records"], old["revisions"]) == ("primary", 1, 0)
    rotated = wellhead("keys", "rotate")
    assert "is primary now. Sealed anew: 1. Left: 0." in rotated.out
    table = wellhead("keys", "list").out
    assert [line.split()[1] for line in table.splitlines()[1:]] == ["enabled", "primary"]
    assert "Disabled" in wellhead("keys", "retire", old["id"]).out
    assert "Use --yes" in wellhead("keys", "retire", old["id"], "--delete", code=1).err
    assert "Deleted" in wellhead("keys", "retire", old["id"], "--delete", "--yes").out
    added = wellhead("keys", "add")
    assert "enabled" in added.out
    new, last = (item["id"] for item in wellhead("keys", "list", "--json").document["items"])
    wellhead("keys", "retire", new, code=1)
    assert secret == password_of(wellhead, "db")
    entries = [json.loads(line) for line in (tmp_path / "config" / "audit.jsonl").read_text().splitlines()]
    assert [(entry["operation"], entry["id"], entry["code"]) for entry in entries if "_key" in entry["operation"]] == [
        ("rotate_keys", new, None),
        ("retire_key", old["id"], None),
        ("delete_key", old["id"], None),
        ("add_key", last, None),
        ("retire_key", new, "key_in_use"),
    ]


def test_what_programs_read_holds_no_key(wellhead: CommandLine, canary: Canary, tmp_path: Path) -> None:
    add(wellhead, "db", canary.secret())
    runs = [wellhead("keys", *arguments, "--json") for arguments in (("list",), ("add", "--primary"), ("rotate",))]
    documents = [run.document for run in runs]
    assert documents[0]["items"][0].keys() == {"id", "state", "created_at", "records", "revisions"}
    assert documents[1].keys() == {"id", "state", "created_at"}
    assert documents[2] == {"key": documents[1]["id"], "new_key": False, "resealed": 1, "left": []}
    runs.append(wellhead("keys", "retire", documents[0]["items"][0]["id"], "--json"))
    assert runs[-1].document == {"id": documents[0]["items"][0]["id"], "state": "disabled"}
    for entry in json.loads((tmp_path / "config" / "keys.json").read_bytes())["keys"]:
        assert all(entry["key"] not in run.out + run.err for run in runs)


def test_a_rotation_that_leaves_something_names_it_and_exits_with_1(wellhead: CommandLine, canary: Canary) -> None:
    source_id = add(wellhead, "db", canary.secret())
    path = wellhead.workspace / ".datasources" / f"{source_id}.json"
    path.write_text(path.read_text().replace('"127.0.0.1"', '"attacker.example"').replace('"db"', '"\\u001b[2Jdb"'))
    before = path.read_bytes()
    run = wellhead("keys", "rotate", code=1)
    assert source_id in run.out
    assert "edited or moved" in run.out
    assert "\x1b" not in run.out
    left = wellhead("keys", "rotate", "--json", code=1).document["left"]
    assert [(item["id"], item["revision"]) for item in left] == [(source_id, 1)]
    assert path.read_bytes() == before


def test_a_key_that_is_needed_or_unknown_or_primary_is_not_retired(wellhead: CommandLine, canary: Canary) -> None:
    add(wellhead, "db", canary.secret())
    primary = wellhead("keys", "list", "--json").document["items"][0]["id"]
    assert "primary" in wellhead("keys", "retire", primary, code=1).err
    wellhead("keys", "add", "--primary")
    problem = wellhead("keys", "retire", primary, "--json", code=1).document
    assert (problem["status"], problem["code"]) == (409, "key_in_use")
    assert primary in wellhead("keys", "retire", "other", code=2).err


def test_a_ring_that_cannot_be_used_or_changed_is_an_error_of_the_settings(
    wellhead: CommandLine, canary: Canary, tmp_path: Path
) -> None:
    add(wellhead, "db", canary.secret())
    ring = (tmp_path / "config" / "keys.json").read_text()
    refused = wellhead("keys", "rotate", code=78, WELLHEAD_KEYS=ring)
    assert "WELLHEAD_KEY_FILE instead of WELLHEAD_KEYS" in refused.err
    assert wellhead("keys", "list", "--json", WELLHEAD_KEYS=ring).document["items"][0]["records"] == 1
    assert "WELLHEAD_KEYS" not in wellhead("run", "db", "--", "env", WELLHEAD_KEYS=ring).out
    (tmp_path / "config" / "keys.json").write_text("")
    for command in ("list", "add", "rotate"):
        assert "is damaged" in wellhead("keys", command, code=78).err


@pytest.mark.parametrize(("mode", "reason"), [(0o604, "may be read or written by others"), (None, "does not exist")])
def test_a_secret_that_does_not_open_for_want_of_a_key_ring_is_an_error_of_the_settings(
    wellhead: CommandLine, canary: Canary, tmp_path: Path, mode: int | None, reason: str
) -> None:
    add(wellhead, "db", canary.plain_secret())
    ring = tmp_path / "config" / "keys.json"
    ring.unlink() if mode is None else ring.chmod(mode)
    assert reason in wellhead("run", "db", "--", "true", code=78).err


def test_a_lost_ring_is_replaced_only_on_demand(wellhead: CommandLine, canary: Canary, tmp_path: Path) -> None:
    add(wellhead, "db", canary.secret())
    (tmp_path / "config" / "keys.json").unlink()
    assert "wellhead keys add --primary" in wellhead("keys", "add", code=78).err
    assert "missing" in wellhead("keys", "list").out
    wellhead("keys", "add", "--primary")
    secret = canary.plain_secret()
    wellhead("edit", "db", "--secret-env", "password=PW", PW=secret)
    assert password_of(wellhead, "db") == secret


def test_deleting_a_key_is_asked_for_on_a_terminal(wellhead: CommandLine, canary: Canary) -> None:
    add(wellhead, "db", canary.secret())
    old = wellhead("keys", "list", "--json").document["items"][0]["id"]
    assert "Sealed anew: 1" in wellhead.talk("keys", "rotate", answers=[]).out
    wellhead("keys", "retire", old)
    asked = wellhead.talk("keys", "retire", old, "--delete", answers=[("Other workspaces", "n")])
    assert asked.code == 1
    assert "Deleted" in wellhead.talk("keys", "retire", old, "--delete", answers=[("Other workspaces", "y")]).out


def test_C_11_a_service_goes_on_while_a_command_rotates_its_keys(
    wellhead: CommandLine, canary: Canary, tmp_path: Path
) -> None:
    ids = [add(wellhead, f"db{number}", canary.secret()) for number in range(3)]
    with running_service(wellhead.workspace, tmp_path / "config") as service:
        before = [service.client.get(f"{SOURCES}/{source_id}") for source_id in ids]
        wellhead("keys", "rotate")
        after = [service.client.get(f"{SOURCES}/{source_id}") for source_id in ids]
        assert [answer.json() for answer in after] == [answer.json() for answer in before]
        assert [answer.headers["ETag"] for answer in after] == [answer.headers["ETag"] for answer in before]
        assert {item["state"] for item in service.client.get(SOURCES).json()["items"]} == {"ok"}
        kept = service.client.patch(f"{SOURCES}/{ids[0]}", json={"description": "changed"})
        assert kept.status_code == 200
    keys = wellhead("keys", "list", "--json").document["items"]
    assert [(key["state"], key["records"], key["revisions"]) for key in keys] == [("enabled", 0, 0), ("primary", 3, 1)]
