"""`ConfigurationStorageService.migrate`: one stored record, rewritten in the schema that its type has now."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from support.canary import Canary
from support.probe import Probe, names_in, probe_of
from support.results import result
from support.strace import KILLED, killed_at, points_of, with_faults
from support.types import make_model
from support.versions import FIRST, SECOND, THIRD, Fields, FirstSource, second_with, to_second
from wellhead import DataSourceType, Secret
from wellhead.errors import DataSourceNotFoundError, WellheadError
from wellhead.storage.record_reading import decode
from wellhead.storage.records import Record
from wellhead.storage.rewriting import MigrationOutcome

pytestmark = pytest.mark.anyio


@pytest.fixture
async def old(workspace: Path, canary: Canary) -> tuple[str, str]:
    """A data source of the first version in its second revision; its id and its password."""
    probe, password = probe_of(workspace, extension=FIRST), canary.secret()
    made: Any = await probe.service.save_config(
        FirstSource(
            name="warehouse",
            hostname="former.test",
            password=Secret(canary.secret()),
            tokens={"a": Secret(canary.secret())},
            legacy_key=Secret(canary.secret()),
        )
    )
    new = {"hostname": "db.test", "password": Secret(password), "tokens": {"a": Secret(canary.secret())}}
    await probe.service.update(str(made.id), made.model_copy(update={**new, "legacy_key": Secret(canary.secret())}))
    await probe.service.add_result(str(made.id), 2, result())
    probe.store.close()
    return str(made.id), password


def content_of(probe: Probe) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in probe.directory.iterdir() if not path.name.startswith(".")}


def changes_of(outcome: MigrationOutcome) -> dict[str, tuple[Any, Any]]:
    return {change["field"]: (change.get("before"), change.get("after")) for change in outcome.as_document()["changes"]}


SET = {"is_set": True}
CHANGES = {
    "headers": (None, {"a": SET}),
    "host": (None, "db.test"),
    "hostname": ("db.test", None),
    "legacy_key": (SET, None),
    "login": (None, {"passphrase": SET}),
    "password": (SET, None),
    "port": (None, 443),
    "timeout": (None, 1),
    "timeout_ms": (1000, None),
    "tokens": ({"a": SET}, None),
}


async def test_a_record_is_rewritten_and_is_the_same_data_source(workspace: Path, old: tuple[str, str]) -> None:
    probe = probe_of(workspace, extension=THIRD)
    before, files = (await probe.service.read(old[0])).as_document(), content_of(probe)
    outcome = await probe.service.migrate(old[0])
    assert (outcome.status, outcome.reason, outcome.versions) == ("migrated", None, (1, 3))
    assert changes_of(outcome) == CHANGES
    after = content_of(probe)
    stored = json.loads(after[f"{old[0]}.json"])
    assert stored["written_by"]["schema_version"] == 3
    assert {name for name in after if after[name] != files.get(name)} == {f"{old[0]}.json", f"{old[0]}.backup.json"}
    assert after[f"{old[0]}.backup.json"] == files[f"{old[0]}.json"]
    again = probe_of(workspace, extension=THIRD)
    assert (await again.service.read(old[0])).as_document() == before
    assert before["health"]["revision"] == before["revision"] == 2
    assert (await again.clear(old[0])).login.passphrase.reveal() == old[1]
    assert (await again.service.migrate(old[0])).as_document() == {
        "id": old[0],
        "name": "warehouse",
        "status": "unchanged",
        "reason": None,
    }
    assert content_of(probe) == after


async def test_a_dry_run_tells_the_same_and_leaves_every_byte_alone(workspace: Path, old: tuple[str, str]) -> None:
    probe = probe_of(workspace, extension=THIRD)
    before = content_of(probe)
    told = await probe.service.migrate(old[0], dry_run=True)
    assert (told.status, changes_of(told)) == ("migrated", CHANGES)
    assert content_of(probe) == before
    assert await probe.service.migrate(old[0]) == told


async def test_former_revisions_stay_as_they_are_and_are_restored(workspace: Path, old: tuple[str, str]) -> None:
    probe = probe_of(workspace, extension=THIRD)
    await probe.service.migrate(old[0])
    restored = await probe.service.rollback(old[0], 1)
    assert (restored.state, restored.as_document()["host"]) == ("ok", "former.test")


async def test_a_backup_brings_the_record_back_for_the_former_version(workspace: Path, old: tuple[str, str]) -> None:
    await probe_of(workspace, extension=THIRD).service.migrate(old[0])
    probe = probe_of(workspace, extension=FIRST)
    assert await probe.state(old[0]) == "newer_format"
    (probe.directory / f"{old[0]}.backup.json").replace(probe.directory / f"{old[0]}.json")
    assert (await probe.clear(old[0])).password.reveal() == old[1]


async def test_a_backup_goes_with_its_data_source_and_with_a_purge(workspace: Path, old: tuple[str, str]) -> None:
    probe = probe_of(workspace, extension=SECOND)
    backup = probe.directory / f"{old[0]}.backup.json"
    await probe.service.migrate(old[0])
    assert backup.stat().st_mode & 0o777 == 0o600
    await probe.service.purge_history(old[0])
    assert not backup.exists()
    await probe_of(workspace, extension=THIRD).service.migrate(old[0])
    assert backup.exists()
    await probe.service.delete_config(old[0])
    assert content_of(probe).keys() == {"workspace.json"}


async def test_one_that_was_never_there_is_told(workspace: Path, old: tuple[str, str]) -> None:
    probe = probe_of(workspace, extension=SECOND)
    await probe.service.delete_config(old[0])
    with pytest.raises(DataSourceNotFoundError):
        await probe.service.migrate(old[0])


def broken(_fields: Fields) -> Fields:
    raise ValueError("broken")


def too_large(fields: Fields) -> Fields:
    return {**to_second(fields), "host": "x" * 66_000}


LEFT: dict[str, tuple[DataSourceType, str, str]] = {
    "raises": (second_with(broken), "failed", "from schema version 1 to 2 raised ValueError"),
    "does not fit": (second_with(lambda _: {"colour": "red"}), "failed", "They are: colour, host."),
    "keeps a secret": (second_with(lambda fields: fields), "failed", "a stored secret where the type has none"),
    "too large": (second_with(too_large), "failed", "a record may have 65536"),
    "another type": (DataSourceType(make_model("other")), "type_unavailable", "wellhead types"),
}


@pytest.mark.parametrize(("extension", "status", "said"), LEFT.values(), ids=LEFT)
async def test_what_cannot_be_migrated_is_left_with_a_reason(
    workspace: Path, old: tuple[str, str], extension: DataSourceType, status: str, said: str
) -> None:
    probe = probe_of(workspace, extension=extension)
    before = content_of(probe)
    for dry_run in (True, False):
        outcome = await probe.service.migrate(old[0], dry_run=dry_run)
        assert outcome.status == status
        assert said in (outcome.reason or "")
    assert content_of(probe) == before


async def test_what_a_newer_version_wrote_is_left(workspace: Path, old: tuple[str, str]) -> None:
    await probe_of(workspace, extension=THIRD).service.migrate(old[0])
    probe = probe_of(workspace, extension=SECOND)
    before = content_of(probe)
    outcome = await probe.service.migrate(old[0])
    assert (outcome.status, content_of(probe)) == ("newer", before)
    assert "newer version of its plugin" in (outcome.reason or "")


@pytest.mark.parametrize(("content", "status"), [(b"{", "failed"), (b'{"wellhead_format": 2, "id": "ID"}', "newer")])
async def test_what_cannot_be_read_is_left(workspace: Path, old: tuple[str, str], content: bytes, status: str) -> None:
    probe = probe_of(workspace, extension=THIRD)
    path = probe.directory / f"{old[0]}.json"
    path.write_bytes(content.replace(b"ID", old[0].encode()))
    before = content_of(probe)
    assert ((await probe.service.migrate(old[0])).status, content_of(probe)) == (status, before)


async def test_secrets_that_do_not_open_are_not_sealed_anew(workspace: Path, old: tuple[str, str]) -> None:
    probe = probe_of(workspace, extension=THIRD)
    path = probe.directory / f"{old[0]}.json"
    path.write_bytes(path.read_bytes().replace(b"db.test", b"evil.test"))
    before = content_of(probe)
    outcome = await probe.service.migrate(old[0])
    assert (outcome.status, content_of(probe)) == ("failed", before)
    assert "does not open" in (outcome.reason or "")


async def test_a_record_that_was_saved_meanwhile_is_migrated_as_it_is_then(
    workspace: Path, old: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    probe, other = probe_of(workspace, extension=THIRD), probe_of(workspace, extension=FIRST)
    config: Any = await other.service.get_config(old[0])
    store, tries = probe.store.migrate, []

    async def after_a_save(found: Record, record: Record) -> bool:
        if not tries:
            await other.service.update(old[0], config.model_copy(update={"timeout_ms": 7000}))
        tries.append(await store(found, record))
        return tries[-1]

    monkeypatch.setattr(probe.store, "migrate", after_a_save)
    assert (await probe.service.migrate(old[0])).status == "migrated"
    assert tries == [False, True]
    stored = await probe.service.read(old[0])
    assert (stored.revision, stored.as_document()["timeout"]) == (3, 7)
    assert not [name for name in names_in(probe.directory) if name.startswith(".tmp")]


async def test_both_of_two_processes_that_migrate_at_once_are_right(workspace: Path, old: tuple[str, str]) -> None:
    probes = [probe_of(workspace, extension=THIRD) for _ in range(4)]
    outcomes = await asyncio.gather(*(probe.service.migrate(old[0]) for probe in probes))
    assert sorted(outcome.status for outcome in outcomes) == ["migrated", "unchanged", "unchanged", "unchanged"]
    assert (await probes[0].clear(old[0])).login.passphrase.reveal() == old[1]


SCRIPT = """
import asyncio, sys
from pathlib import Path
from support.probe import probe_of
from support.versions import THIRD
from wellhead.catalog.migrations import Migrations
from wellhead.secrets.key_file import FileKeys

FileKeys._wait_for_the_disk = lambda self: None  # it is not the key ring that fails here

async def main(workspace):
    migrations = Migrations(probe_of(Path(workspace), extension=THIRD).service)
    ids = sorted(await migrations.all_ids())
    for source_id in ids:
        for outcome in await migrations.run([source_id], dry_run=False, report=lambda *_: None):
            print(outcome.status, outcome.reason)

asyncio.run(main(sys.argv[1]))
"""


async def filled(workspace: Path) -> list[str]:
    """Fill a workspace with two data sources of the first version, and return their ids in their order."""
    probe = probe_of(workspace, extension=FIRST)
    ids = []
    for name in ("one", "two"):
        config = FirstSource(name=name, hostname=f"{name}.test", password=Secret(f"password of {name}"))
        ids.append(str((await probe.service.save_config(config)).id))
    probe.store.close()
    return sorted(ids)


def schema_of(path: Path) -> int:
    return decode(path.read_bytes(), path.name.partition(".")[0]).schema_version


async def check_resumed(workspace: Path, ids: list[str]) -> None:
    """Hold that each record is the old or the new one, whole; and that migrating again goes on and is done."""
    store = workspace / ".datasources"
    before = {source_id: schema_of(store / f"{source_id}.json") for source_id in ids}
    assert list(before.values()) in ([1, 1], [3, 1], [3, 3])
    probe = probe_of(workspace, extension=THIRD)
    for source_id in ids:
        status = (await probe.service.migrate(source_id)).status
        assert status == ("unchanged" if before[source_id] == 3 else "migrated")
        clear = await probe.clear(source_id)
        assert clear.login.passphrase.reveal() == f"password of {clear.name}"
        assert schema_of(store / f"{source_id}.backup.json") == 1
        assert schema_of(store / f"{source_id}.json") == 3
    probe.store.close()


async def made_in(tmp_path: Path, name: str) -> tuple[Path, list[str]]:
    place = tmp_path / name / "workspace"
    place.mkdir(parents=True)
    return place, await filled(place)


@pytest.mark.slow
async def test_D_02_a_migration_that_is_killed_at_any_system_call_is_finished_by_the_next(tmp_path: Path) -> None:
    first, ids = await made_in(tmp_path, "first")
    points = await asyncio.to_thread(points_of, SCRIPT, first)
    await check_resumed(first, ids)
    assert {"openat", "fsync", "flock"} < {point.call for point in points}
    for number, point in enumerate(points):
        place, ids = await made_in(tmp_path, str(number))
        ended = await asyncio.to_thread(killed_at, point, SCRIPT, place)
        assert ended.code == KILLED, point
        await check_resumed(place, ids)


@pytest.mark.parametrize("time", range(1, 5))
async def test_D_02_a_migration_that_is_killed_as_a_file_gets_its_name_is_finished_by_the_next(
    tmp_path: Path, time: int
) -> None:
    place, ids = await made_in(tmp_path, "place")
    fault = f"rename,renameat,renameat2:signal=SIGKILL:when={time}"
    ended = await asyncio.to_thread(with_faults, [fault], SCRIPT, place)
    assert (ended.code, len(ended.out.splitlines())) == (KILLED, (time - 1) // 2)
    await check_resumed(place, ids)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("fsync:error=EIO:when=1", "The disk reported an error."),
        ("fsync:error=ENOSPC:when=2", "The disk is full."),
        ("rename,renameat,renameat2:error=EROFS:when=1", "cannot be written"),
        ("rename,renameat,renameat2:error=EIO:when=2", "The disk reported an error."),
    ],
)
async def test_D_09_D_11_an_error_of_the_disk_fails_one_record_and_leaves_it(
    tmp_path: Path, fault: str, said: str
) -> None:
    place, ids = await made_in(tmp_path, "place")
    ended = await asyncio.to_thread(with_faults, [fault], SCRIPT, place)
    failed, *_ = ended.out.splitlines()
    assert failed.startswith("failed")
    assert said in failed
    assert schema_of(place / ".datasources" / f"{ids[0]}.json") == 1
    assert not [name for name in names_in(place / ".datasources") if name.startswith(".tmp")]
    probe = probe_of(place, extension=THIRD)
    for source_id in ids:
        assert (await probe.service.migrate(source_id)).status in {"migrated", "unchanged"}
        assert (await probe.clear(source_id)).login.passphrase.reveal()


async def test_an_error_of_the_store_is_told_of_a_removal_of_a_backup(workspace: Path, old: tuple[str, str]) -> None:
    probe = probe_of(workspace, extension=SECOND)
    await probe.service.migrate(old[0])
    backup = probe.directory / f"{old[0]}.backup.json"
    backup.unlink()
    backup.mkdir()
    with pytest.raises(WellheadError):
        await probe.service.purge_history(old[0])
