"""`Doctor` and `wellhead doctor`: what is wrong in a workspace, and what to do about it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from support.api import csv_source, database
from support.canary import Canary
from support.command import CommandLine
from support.plugin import install_plugin
from support.probe import names_in
from wellhead.assembled import Wellhead
from wellhead.assembly import assemble
from wellhead.catalog.listing import ListQuery
from wellhead.settings import Settings
from wellhead.storage.findings import Finding

pytestmark = pytest.mark.anyio


async def made(parts: Wellhead, document: dict[str, Any]) -> Path:
    saved, _ = await parts.catalog.create(document)
    return Path(parts.settings.workspace) / ".datasources" / f"{saved['id']}.json"


async def wrong(parts: Wellhead, *, repair: bool = False) -> list[tuple[str, str | None]]:
    found = await parts.doctor.look(repair=repair)
    return [(finding.status, finding.code) for finding in found if finding.status != "ok"]


async def the_one(parts: Wellhead) -> Finding:
    [found] = [finding for finding in await parts.doctor.look() if finding.status != "ok"]
    return found


def edit(path: Path, **members: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **members}))


async def test_a_workspace_in_which_all_is_well_has_nothing_wrong(wellhead_parts: Wellhead) -> None:
    assert await wrong(wellhead_parts) == []
    await made(wellhead_parts, csv_source())
    await made(wellhead_parts, database(password="x"))
    found = await wellhead_parts.doctor.look()
    assert [(finding.part, finding.status) for finding in found] == [
        ("store", "ok"),
        ("lock", "ok"),
        ("index", "ok"),
        ("key ring", "ok"),
        ("data source", "ok"),
    ]
    assert found[-1].message == "In order: 2 of 2."


async def test_looking_makes_nothing(wellhead_parts: Wellhead, workspace: Path, tmp_path: Path) -> None:
    await wellhead_parts.doctor.look(repair=True)
    assert names_in(workspace) == []
    assert not (tmp_path / "config").exists()


STATES: dict[str, tuple[dict[str, Any] | bytes, str]] = {
    "corrupt": (b"{", "record_corrupt"),
    "newer": ({"wellhead_format": 2}, "newer_format"),
    "invalid": ({"fields": {"host": 1}}, "invalid_record"),
    "no type": ({"type": "gone", "written_by": {"plugin": None, "schema_version": 1}}, "type_unavailable"),
    "secret": ({"encryption": {"scheme": "hkdf-sha256+aes-256-gcm", "key_id": "lost"}}, "secret_unavailable"),
}


@pytest.mark.parametrize("state", STATES)
async def test_D_22_D_23_G_16_each_state_is_a_problem_with_what_to_do_and_no_repair_touches_the_record(
    wellhead_parts: Wellhead, state: str
) -> None:
    path = await made(wellhead_parts, database(password="x"))
    await made(wellhead_parts, csv_source())
    damage, code = STATES[state]
    if isinstance(damage, bytes):
        path.write_bytes(damage)
    else:
        edit(path, **damage)
    before = path.read_bytes()
    assert await wrong(wellhead_parts, repair=True) == [("problem", code)]
    found = await the_one(wellhead_parts)
    assert found.ids == (path.stem,)
    assert found.remedy
    assert path.read_bytes() == before


async def test_the_fields_that_do_not_fit_are_named_and_their_values_are_not(wellhead_parts: Wellhead) -> None:
    path = await made(wellhead_parts, csv_source())
    fields = {**json.loads(path.read_text())["fields"], "delimiter": "canary-of-a-value", "gone": "canary-of-a-value"}
    edit(path, fields=fields | {"\x1b[2J": 1})

    found = await the_one(wellhead_parts)

    assert found.message.endswith("They are: one whose name cannot be shown, delimiter, gone.")
    assert "canary" not in found.message


async def test_G_16_a_plugin_that_is_missing_is_named_as_what_to_install(wellhead_parts: Wellhead) -> None:
    path = await made(wellhead_parts, csv_source())
    edit(path, type="gone", written_by={"plugin": "wellhead-gone", "plugin_version": "1", "schema_version": 1})
    assert "pip install wellhead-gone" in str((await the_one(wellhead_parts)).remedy)


@pytest.mark.parametrize("name", ["x; rm -rf ~", "-r evil", "a b", "x" * 200, "\x1b[2J", 4711, ["a"]])
async def test_what_an_edited_record_calls_its_plugin_is_not_told_as_a_command(
    wellhead_parts: Wellhead, name: Any
) -> None:
    path = await made(wellhead_parts, csv_source())
    edit(path, type="gone", written_by={"plugin": name, "plugin_version": "1", "schema_version": 1})
    assert str(name) not in str((await the_one(wellhead_parts)).remedy)


async def test_names_taken_twice_by_hand_are_told_with_their_ids(wellhead_parts: Wellhead) -> None:
    one, two = await made(wellhead_parts, csv_source("one")), await made(wellhead_parts, csv_source("two"))
    edit(two, name="ONE")
    found = await the_one(wellhead_parts)
    assert (found.status, found.code) == ("problem", "name_taken_twice")
    assert found.ids == tuple(sorted((one.stem, two.stem)))


async def test_a_reference_that_does_not_resolve_is_told_and_one_that_does_is_not(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, canary: Canary
) -> None:
    settings = Settings(workspace=workspace, config_dir=tmp_path / "config", reference_env=("PG_*",))
    parts = assemble(settings)
    await made(parts, database(password={"ref": "env:PG_PASSWORD"}))
    found = await the_one(parts)
    assert (found.status, found.code) == ("warning", "reference_unresolved")
    assert "not set" in found.message
    monkeypatch.setenv("PG_PASSWORD", canary.secret())
    assert await wrong(parts) == []
    parts.close()


async def test_a_key_ring_that_is_lost_is_a_problem_only_where_something_is_encrypted(
    wellhead_parts: Wellhead, tmp_path: Path
) -> None:
    await made(wellhead_parts, csv_source())
    assert await wrong(wellhead_parts) == []
    await made(wellhead_parts, database(password="x"))
    (tmp_path / "config" / "keys.json").unlink()
    assert await wrong(wellhead_parts) == [("problem", "key_unavailable"), ("problem", "secret_unavailable")]


async def test_a_key_ring_that_cannot_be_reached_is_a_problem_though_nothing_is_encrypted(
    wellhead_parts: Wellhead, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text("a file where the directory should be")
    assert await wrong(wellhead_parts) == [("problem", "key_unavailable")]


async def test_a_key_ring_that_others_may_read_is_a_problem_with_what_to_do(
    wellhead_parts: Wellhead, tmp_path: Path
) -> None:
    await made(wellhead_parts, database(password="x"))
    (tmp_path / "config" / "keys.json").chmod(0o644)
    found = [finding for finding in await wellhead_parts.doctor.look() if finding.part == "key ring"]
    assert [(finding.status, "chmod 600" in finding.message) for finding in found] == [("problem", True)]


async def test_a_key_ring_in_the_workspace_is_copied_with_it_and_told(workspace: Path) -> None:
    parts = assemble(Settings(workspace=workspace, config_dir=workspace / "config"))
    await made(parts, database(password="x"))
    assert await wrong(parts) == [("warning", "key_ring_in_workspace")]
    parts.close()


@pytest.mark.parametrize("damage", ["gone", "damaged"])
async def test_a_workspace_that_lost_its_id_is_told_before_its_secrets(
    settings: Settings, wellhead_parts: Wellhead, damage: str
) -> None:
    path = await made(wellhead_parts, database(password="x"))
    lost = path.with_name("workspace.json")
    lost.unlink() if damage == "gone" else lost.write_text("{")
    parts = assemble(settings)
    assert await wrong(parts) == [("problem", "workspace_id_lost"), ("problem", "secret_unavailable")]
    parts.close()


async def test_S_05_a_store_that_others_may_write_to_is_mended_and_then_looked_through(
    settings: Settings, wellhead_parts: Wellhead
) -> None:
    path = await made(wellhead_parts, csv_source())
    path.parent.chmod(0o777)
    parts = assemble(settings)
    assert await wrong(parts) == [("problem", "store_writable_by_others")]
    found = await parts.doctor.look(repair=True)
    assert ("store", "repaired") in [(finding.part, finding.status) for finding in found]
    assert found[-1].message == "In order: 1 of 1."
    parts.close()


@pytest.fixture
def wellhead(workspace: Path) -> CommandLine:
    """The command line in an empty workspace."""
    return CommandLine(workspace)


def test_the_command_says_what_is_wrong_and_what_to_do_and_exits_with_1(wellhead: CommandLine) -> None:
    assert "Nothing is stored here yet." in wellhead("doctor").out
    (wellhead.workspace / "sales.csv").write_text("a\n1\n")
    wellhead("add", "csv", "--name", "sales", "--set", "path=sales.csv")
    [path] = (wellhead.workspace / ".datasources").glob("*-*.json")
    path.with_name("notes.txt").write_text("x")
    assert "notes.txt" in wellhead("doctor").out
    path.write_bytes(b"{")
    told = wellhead("doctor", code=1).out
    assert path.stem in told
    assert "record_corrupt: Restore the file from a backup" in told
    document = wellhead("doctor", "--json", code=1).document
    assert (document["success"], document["totals"]["problem"]) == (False, 1)
    assert [finding["code"] for finding in document["findings"] if finding["status"] == "problem"] == ["record_corrupt"]
    assert path.read_bytes() == b"{"


def test_the_command_repairs_and_then_all_is_well(wellhead: CommandLine) -> None:
    (wellhead.workspace / "sales.csv").write_text("a\n1\n")
    wellhead("add", "csv", "--name", "sales", "--set", "path=sales.csv")
    wellhead("edit", "sales", "--set", "description=x")
    store = wellhead.workspace / ".datasources"
    store.chmod(0o777)
    [record] = store.glob("*-*.json")
    shutil.move(record, wellhead.workspace / "away")
    assert "not be written" not in wellhead("doctor", code=1).out
    assert wellhead("doctor", "--repair").out.count("repaired") == 2
    assert "warning" not in wellhead("doctor").out
    assert not list(store.glob("*.history.jsonl"))


def test_a_plugin_that_does_not_work_is_told(wellhead: CommandLine, tmp_path: Path) -> None:
    plugins = install_plugin(tmp_path / "plugins", "broken", "raise RuntimeError('hunter2')")
    run = wellhead("doctor", PYTHONPATH=str(plugins))
    assert "pip uninstall broken" in run.out
    assert "hunter2" not in run.out


async def test_a_repair_brings_the_index_up_to_what_was_edited_by_hand(
    wellhead_parts: Wellhead, workspace: Path
) -> None:
    (workspace / "sales.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    document, _ = await wellhead_parts.catalog.create({"type": "csv", "name": "sales", "path": "sales.csv"})
    await wellhead_parts.catalog.list(ListQuery())
    path = workspace / ".datasources" / f"{document['id']}.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"sales"', '"costs"'), encoding="utf-8")

    [before] = [found for found in await wellhead_parts.doctor.look() if found.part == "index"]
    [after] = [found for found in await wellhead_parts.doctor.look(repair=True) if found.part == "index"]

    assert "look at again: 1" in before.message
    assert after.message == "The index has what the files have."


async def test_without_an_index_nothing_is_wrong(wellhead_parts: Wellhead, workspace: Path) -> None:
    await wellhead_parts.catalog.create({"type": "csv", "name": "sales", "path": "sales.csv"})
    for path in (workspace / ".datasources").glob(".index*"):
        path.unlink()

    [found] = [found for found in await wellhead_parts.doctor.look(repair=True) if found.part == "index"]

    assert found.status == "ok"
