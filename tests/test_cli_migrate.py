"""`wellhead migrate`, and what the other commands and the API show, after a plugin was upgraded or put back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.canary import Canary
from support.command import CommandLine
from support.distributions import Site
from support.service import SOURCES, running_service

HEAD = '''
"""A type that grows."""

from typing import Literal

import wellhead


async def validate(config, context):
    async with context.check("query", fields=["/host"]):
        assert config.key.reveal() if hasattr(config, "key") else config.token.reveal()

'''
FIRST = f'''{HEAD}
class Gadget(wellhead.DataSourceConfig):
    """A gadget."""

    type: Literal["gadget"] = "gadget"
    hostname: str
    key: wellhead.Secret | None = None
    mood: str = wellhead.field("fine", harmless=True)


@wellhead.hookimpl
def wellhead_data_source_types():
    return [wellhead.DataSourceType(Gadget, validate)]
'''
SECOND = f'''{HEAD}
class Gadget(wellhead.DataSourceConfig):
    """A gadget."""

    type: Literal["gadget"] = "gadget"
    host: str
    token: wellhead.Secret | None = None
    mood: str = wellhead.field("fine", harmless=True)


def to_second(fields):
    if fields["mood"] == "sad":
        raise ValueError("the mood is " + fields["mood"])
    fields["host"] = fields.pop("hostname")
    if "key" in fields:
        fields["token"] = fields.pop("key")
    return fields


@wellhead.hookimpl
def wellhead_data_source_types():
    return [wellhead.DataSourceType(Gadget, validate, schema_version=2, migrations={{1: to_second}})]
'''


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Where the plugin is installed: the second version, since the first one has saved three data sources."""
    site = Site(tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", str(site.path))
    return site


@pytest.fixture
def wellhead(workspace: Path, site: Site, canary: Canary) -> CommandLine:
    """The command line in a workspace with data sources that the first version has saved."""
    site.install("gadget", FIRST, version="1.0")
    wellhead = CommandLine(workspace)
    for name in ("one", "two"):
        secret = ("--secret-env", "key=SECRET")
        wellhead("add", "gadget", "--name", name, "--set", f"hostname={name}.test", *secret, SECRET=canary.secret())
    wellhead("add", "gadget", "--name", "three", "--set", "hostname=three.test", "--set", "mood=sad")
    site.install("gadget", SECOND, version="2.0")
    return wellhead


def files_of(workspace: Path) -> dict[str, bytes]:
    store = workspace / ".datasources"
    return {path.name: path.read_bytes() for path in store.iterdir() if not path.name.startswith(".")}


def test_a_dry_run_shows_a_diff_without_secrets_and_changes_no_byte(wellhead: CommandLine, canary: Canary) -> None:
    before = files_of(wellhead.workspace)
    run = wellhead("migrate", "one", "two", "--dry-run")
    canary.saw(run.out + run.err)
    assert run.out.splitlines() == [
        "one: schema version 1 to 2",
        '  + host: "one.test"',
        '  - hostname: "one.test"',
        "  - key: set",
        "  + token: set",
        "two: schema version 1 to 2",
        '  + host: "two.test"',
        '  - hostname: "two.test"',
        "  - key: set",
        "  + token: set",
        "2 migrated. Nothing was written: this was a dry run.",
    ]
    assert files_of(wellhead.workspace) == before


def test_all_are_migrated_but_one_that_fails_and_running_it_again_goes_on(
    wellhead: CommandLine, canary: Canary
) -> None:
    failed = "three: failed. Its migration from schema version 1 to 2 raised ValueError."
    for status, totals in (("migrated", "1 failed, 2 migrated."), ("unchanged", "1 failed, 2 unchanged.")):
        run = wellhead("migrate", "--all", code=1)
        canary.saw(run.out + run.err)
        lines = run.out.splitlines()
        assert lines[-1] == totals
        assert any(line.startswith(failed) for line in lines)
        assert ("one: schema version 1 to 2" in lines) == (status == "migrated")
        assert "the mood is" not in run.out + run.err
    wellhead("run", "one", "--", "sh", "-c", 'test "$WELLHEAD_TOKEN" && test "$WELLHEAD_HOST" = one.test')


def test_json_has_each_outcome(wellhead: CommandLine, canary: Canary) -> None:
    for dry_run in (True, False):
        run = wellhead("migrate", "--all", "--json", *(["--dry-run"] if dry_run else []), code=1)
        canary.saw(run.out)
        one, three, two = run.document["items"]
        assert [one["name"], three["name"], two["name"]] == ["one", "three", "two"]
        assert (run.document["dry_run"], run.document["totals"]) == (dry_run, {"failed": 1, "migrated": 2})
        assert one == {
            "id": one["id"],
            "name": "one",
            "status": "migrated",
            "reason": None,
            "from": 1,
            "to": 2,
            "changes": [
                {"field": "host", "after": "one.test"},
                {"field": "hostname", "before": "one.test"},
                {"field": "key", "before": {"is_set": True}},
                {"field": "token", "after": {"is_set": True}},
            ],
        }
        assert three.keys() == {"id", "name", "status", "reason"}


def test_names_or_all_are_needed_and_not_both(wellhead: CommandLine) -> None:
    assert "use --all" in wellhead("migrate", code=2).err
    assert "not both" in wellhead("migrate", "one", "--all", code=2).err
    assert "wellhead list" in wellhead("migrate", "nothing", code=1).err
    assert wellhead("migrate", "one", "ONE", "two").out.splitlines()[-1] == "2 migrated."


def test_a_workspace_with_nothing_in_it_has_nothing_to_migrate(workspace: Path) -> None:
    assert CommandLine(workspace)("migrate", "--all").out == "No data source.\n"
    assert list(workspace.iterdir()) == []


def test_the_doctor_tells_what_waits_and_what_failed(wellhead: CommandLine) -> None:
    def found() -> list[tuple[str, str]]:
        findings = wellhead("doctor", "--json", code=1).document["findings"]
        return [(item["status"], item["code"]) for item in findings if item["status"] != "ok"]

    assert found() == [("problem", "invalid_record"), ("warning", "migration_waiting")]
    said = " ".join(wellhead("doctor", code=1).out.split())
    assert "Its migration from schema version 1 to 2 raised ValueError" in said
    assert said.count("Go back to the plugin's former version") == 1
    assert "Change the fields" not in said
    wellhead("migrate", "--all", code=1)
    assert found() == [("problem", "invalid_record")]


def test_without_the_new_plugin_its_records_are_shown_and_left(wellhead: CommandLine, site: Site) -> None:
    wellhead("migrate", "one")
    site.install("gadget", FIRST, version="1.0")
    states = {item["name"]: item["state"] for item in wellhead("list", "--json").document["items"]}
    assert states == {"one": "newer_format", "two": "ok", "three": "ok"}
    before = files_of(wellhead.workspace)
    for command in (("edit", "one", "--set", "mood=x"), ("validate", "one"), ("rollback", "one", "1")):
        wellhead(*command, code=1)
    assert wellhead("migrate", "--all", "--json").document["totals"] == {"newer": 1, "unchanged": 2}
    assert files_of(wellhead.workspace) == before
    assert "pip install --upgrade gadget" in wellhead("doctor", code=1).out
    site.uninstall("gadget")
    assert wellhead("migrate", "--all", "--json").document["totals"] == {"type_unavailable": 3}
    wellhead("remove", "one", "--yes")


def test_the_api_shows_the_migrated_form_and_saves_it(
    wellhead: CommandLine, tmp_path: Path, canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WELLHEAD_REQUIRE_IF_MATCH", "false")
    with running_service(wellhead.workspace, tmp_path / "config", PYTHONPATH=str(tmp_path / "site")) as service:
        client = service.client
        before = files_of(wellhead.workspace)
        answer = client.get(SOURCES)
        canary.saw(answer.text)
        items: dict[str, Any] = {item["name"]: item for item in answer.json()["items"]}
        assert {name: item["state"] for name, item in items.items()} == {"one": "ok", "two": "ok", "three": "invalid"}
        one = f"{SOURCES}/{items['one']['id']}"
        read = client.get(one)
        assert read.json() == items["one"]
        assert (read.json()["host"], read.json()["token"]["is_set"], "key" in read.json()) == ("one.test", True, False)
        assert client.post(f"{one}/validate").json()["status"] == "passed"
        same = client.put(one, json=read.json())
        assert (same.status_code, same.headers["ETag"], read.headers["ETag"]) == (200, '"1"', '"1"')
        moved = client.patch(one, json={"host": "evil.test"})
        assert (moved.status_code, moved.json()["errors"][0]["pointer"]) == (422, "/token")
        assert {
            name: content for name, content in files_of(wellhead.workspace).items() if "health" not in name
        } == before
        saved = client.patch(one, json={"mood": "good"})
        assert (saved.status_code, saved.json()["revision"]) == (200, 2)
        assert client.get(f"{one}/history").json()["items"][0]["changed"] == ["mood"]
        back = client.post(f"{one}/rollback", json={"revision": 1})
        assert (back.status_code, back.json()["revision"], back.json()["host"]) == (200, 3, "one.test")
        assert client.post(f"{one}/validate").json()["status"] == "passed"
        refused = client.patch(f"{SOURCES}/{items['three']['id']}", json={"mood": "good"})
        assert refused.status_code == 422
        canary.saw(refused.text + back.text + saved.text)
    record = json.loads(files_of(wellhead.workspace)[f"{items['one']['id']}.json"])
    assert record["written_by"] == {"plugin": "gadget", "plugin_version": "2.0", "schema_version": 2}


def test_the_api_leaves_what_is_newer_alone(wellhead: CommandLine, site: Site, tmp_path: Path) -> None:
    wellhead("migrate", "one")
    site.install("gadget", FIRST, version="1.0")
    with running_service(wellhead.workspace, tmp_path / "config", PYTHONPATH=str(site.path)) as service:
        client = service.client
        items = {item["name"]: item for item in client.get(SOURCES, params={"state": "newer_format"}).json()["items"]}
        assert items.keys() == {"one"}
        one = f"{SOURCES}/{items['one']['id']}"
        before = files_of(wellhead.workspace)
        shown = client.get(one)
        assert (shown.status_code, shown.json()["host"], shown.json()["state"]) == (200, "one.test", "newer_format")
        for method, more, body in (
            ("PUT", "", shown.json()),
            ("PATCH", "", {"description": "x"}),
            ("POST", "/validate", None),
            ("POST", "/validate", {"changes": {"mood": "x"}}),
            ("POST", "/rollback", {"revision": 1}),
        ):
            answer = client.request(method, one + more, json=body)
            assert (answer.status_code, answer.json()["code"]) == (409, "newer_format"), method + more
        assert files_of(wellhead.workspace) == before
        assert client.delete(one).status_code == 204


def test_a_progress_bar_is_shown_to_people(wellhead: CommandLine) -> None:
    shown = wellhead.talk("migrate", "one", "two", answers=[], TERM="xterm")
    assert "Migrating" in shown.out
    assert "2 migrated." in shown.out
