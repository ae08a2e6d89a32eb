"""`wellhead history` and `rollback`."""

import getpass
import json
from pathlib import Path

import pytest

from support.canary import Canary
from support.command import CommandLine
from wellhead import open_workspace


@pytest.fixture
def wellhead(workspace: Path, canary: Canary) -> CommandLine:
    """The command line in a workspace with a data source in its third revision."""
    with open_workspace(workspace) as opened:
        opened.add(
            {
                "type": "postgres",
                "name": "warehouse",
                "host": "db.example.com",
                "database": "sales",
                "username": "reader",
                "password": canary.secret(),
            }
        )
        opened.update("warehouse", {"host": "db2.example.com", "password": canary.secret()})
        opened.update("warehouse", {"description": "The nightly copy."})
    return CommandLine(workspace)


def test_the_former_revisions_are_listed_newest_first(wellhead: CommandLine) -> None:
    rows = [line.split() for line in wellhead("history", "warehouse").out.splitlines()]
    assert [row[0] for row in rows] == ["Revision", "2", "1"]
    assert [row[2:] for row in rows[1:]] == [
        [getpass.getuser(), "description"],
        [getpass.getuser(), "host,", "password"],
    ]


def test_json_is_what_the_api_would_answer(wellhead: CommandLine) -> None:
    items = wellhead("history", "warehouse", "--json").document["items"]
    assert [item.keys() for item in items] == [{"revision", "at", "by", "changed"}] * 2
    restored = wellhead("rollback", "warehouse", "1", "--json").document
    assert restored == wellhead("show", "warehouse", "--json").document
    assert (restored["revision"], restored["host"], restored["description"]) == (4, "db.example.com", None)


def test_a_rollback_says_what_it_did(wellhead: CommandLine) -> None:
    assert "Restored revision 2 of warehouse; it is revision 4 now." in wellhead("rollback", "warehouse", "2").out
    assert "nothing was saved" in wellhead("rollback", "warehouse", "2").out


def test_a_revision_that_is_not_kept_is_refused_with_those_that_are(wellhead: CommandLine) -> None:
    assert "Allowed: 2, 1." in wellhead("rollback", "warehouse", "9", code=2).err
    wellhead("rollback", "warehouse", "0", code=2)
    assert "wellhead list" in wellhead("rollback", "nothing", "1", code=1).err
    refused = wellhead("rollback", "warehouse", "9", "--json", code=2).document
    assert refused["code"] == "revision_not_kept"


def test_purging_says_what_it_did_and_what_is_left_to_do(wellhead: CommandLine) -> None:
    done = wellhead("history", "warehouse", "--purge-secrets").out
    assert "Purged the secrets of 2 former revisions of warehouse, which" in done
    assert "must be changed where it is used" in done
    assert "No former revision" in wellhead("history", "warehouse", "--purge-secrets").out
    assert wellhead("history", "warehouse", "--purge-secrets", "--json").document == {"purged": 0, "dropped": 0}
    refused = wellhead("rollback", "warehouse", "1", code=1)
    assert "send the secrets anew" in refused.err
    assert wellhead("rollback", "warehouse", "1", "--json", code=1).document["code"] == "secrets_purged"
    assert wellhead("show", "warehouse", "--json").document["revision"] == 3


def test_purging_tells_of_lines_that_it_took_out(wellhead: CommandLine) -> None:
    [path] = wellhead.workspace.glob(".datasources/*.history.jsonl")
    path.write_bytes(path.read_bytes() + b"{\n")
    assert "Took 1 line out of its history" in wellhead("history", "warehouse", "--purge-secrets").out


def test_a_data_source_without_history_says_how_one_comes_about(wellhead: CommandLine) -> None:
    (wellhead.workspace / "sales.csv").write_text("a\n1\n")
    wellhead("add", "csv", "--name", "sales", "--set", "path=sales.csv")
    assert "No former revision" in wellhead("history", "sales").out
    assert wellhead("history", "sales", "--json").document == {"items": []}


def test_how_many_revisions_are_kept_is_a_setting(wellhead: CommandLine) -> None:
    for text in ("a", "b", "c"):
        wellhead("edit", "warehouse", "--set", f"description={text}", WELLHEAD_HISTORY="2")
    assert [item["revision"] for item in wellhead("history", "warehouse", "--json").document["items"]] == [5, 4]
    wellhead("edit", "warehouse", "--set", "description=d", WELLHEAD_HISTORY="0")
    assert not list(wellhead.workspace.glob(".datasources/*.history.jsonl"))
    for wrong in ("-1", "201", "many"):
        assert "WELLHEAD_HISTORY" in wellhead("list", code=78, WELLHEAD_HISTORY=wrong).err


def test_what_an_edited_history_says_cannot_steer_a_terminal(wellhead: CommandLine) -> None:
    [path] = wellhead.workspace.glob(".datasources/*.history.jsonl")
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    lines[0]["superseded"] |= {"by": "[red]\x1b[2J", "changed": ["\x1b]0;x"]}
    path.write_text("\n".join(json.dumps(line) for line in lines))
    assert "\x1b" not in wellhead("history", "warehouse").out
    assert "[red]" in wellhead("history", "warehouse").out
