"""The history of a data source: kept with every change, restored from, purged, and whole after any fault."""

import asyncio
import json
import os
import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import model_validator

from support.canary import Canary
from support.faults import limited, mounted
from support.probe import Probe, ProbeSource, Proxy, names_in, open_descriptors, probe_of, saved
from support.results import result
from wellhead import Secret, clock
from wellhead.errors import (
    ConflictError,
    DataSourceNotFoundError,
    InputError,
    InsufficientStorageError,
    NameTakenError,
    NewerFormatError,
    RecordCorruptError,
    RecordInvalidError,
    RecordUnreadableError,
    RevisionMismatchError,
    SecretsPurgedError,
    SecretUnavailableError,
    StorageIOError,
    TypeUnavailableError,
)
from wellhead.storage.disk.directory import StoreDirectory
from wellhead.storage.disk.history import prepared

pytestmark = pytest.mark.anyio


@pytest.fixture
def probe(workspace: Path) -> Probe:
    return probe_of(workspace)


async def update(probe: Probe, config: Any, **changes: Any) -> Any:
    current = await probe.service.get_config(str(config.id))
    return await probe.service.update_config(str(config.id), current.model_copy(update=changes))


async def back(probe: Probe, config: Any, revision: int, *, expected: int | None = None) -> Any:
    return (await probe.service.rollback(str(config.id), revision, expected=expected)).config


async def items(probe: Probe, config: Any) -> list[dict[str, Any]]:
    return [found.as_document() for found in await probe.service.history(str(config.id))]


async def numbers(probe: Probe, config: Any) -> list[int]:
    return [item["revision"] for item in await items(probe, config)]


def lines(probe: Probe, config: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in probe.history(config).read_bytes().splitlines()]


def edit(path: Path, **members: Any) -> bytes:
    text = json.dumps({**json.loads(path.read_bytes()), **members}).encode()
    path.write_bytes(text)
    return text


# Keeping it


async def test_each_change_keeps_the_state_before_with_when_by_whom_and_in_which_fields(
    probe: Probe, canary: Canary
) -> None:
    made = await saved(probe, password=Secret(canary.secret()))
    two = await update(probe, made, note="new", labels={"team": "sales"})
    three = await update(probe, made, password=Secret(canary.secret()))
    assert await items(probe, made) == [
        {"revision": 2, "at": clock.to_text(three.updated_at), "by": "tester", "changed": ["password"]},
        {"revision": 1, "at": clock.to_text(two.updated_at), "by": "tester", "changed": ["labels", "note"]},
    ]


async def test_a_new_data_source_has_no_history_and_no_file_of_it(probe: Probe) -> None:
    made = await saved(probe)
    assert await items(probe, made) == []
    assert not probe.history(made).exists()
    with pytest.raises(DataSourceNotFoundError):
        await probe.service.history("00000000-0000-4000-8000-000000000000")


async def test_a_line_is_the_record_as_it_was_and_the_file_is_private(probe: Probe) -> None:
    made = await saved(probe, password="x")
    before = json.loads(probe.path(made).read_bytes())
    await update(probe, made, note="new")
    [line] = lines(probe, made)
    assert {name: value for name, value in line.items() if name != "superseded"} == before
    assert probe.history(made).stat().st_mode & 0o777 == 0o600


async def test_a_write_equal_to_what_is_stored_touches_no_history(probe: Probe) -> None:
    made = await saved(probe, password="x")
    await update(probe, made, note="new")
    before = probe.history(made).stat()
    await update(probe, made, note="new")
    assert probe.history(made).stat() == before


@pytest.mark.parametrize("kept", [1, 3])
async def test_the_last_revisions_are_kept_and_no_more(workspace: Path, kept: int) -> None:
    probe = probe_of(workspace, kept_revisions=kept)
    made = await saved(probe)
    for number in range(5):
        await update(probe, made, note=str(number))
    assert await numbers(probe, made) == [5, 4, 3][:kept]
    assert len(lines(probe, made)) == kept


async def test_a_history_of_large_records_stays_readable(workspace: Path) -> None:
    probe = probe_of(workspace, kept_revisions=30)
    made = await saved(probe)
    for number in range(31):
        await update(probe, made, options={"text": f"{number}" + "é" * 25_000})
    assert await numbers(probe, made) == list(range(31, 1, -1))
    assert (await back(probe, made, 2)).options["text"].startswith("0é")


async def test_with_none_kept_the_next_change_takes_the_history_away(workspace: Path, probe: Probe) -> None:
    made = await saved(probe)
    await update(probe, made, note="1")
    none = probe_of(workspace, kept_revisions=0)
    assert await numbers(none, made) == [1]
    await update(none, made, note="2")
    assert not probe.history(made).exists()
    assert await numbers(none, made) == []


async def test_the_history_is_deleted_with_its_data_source(probe: Probe) -> None:
    made = await saved(probe, password="x")
    await update(probe, made, note="new")
    await probe.service.delete_config(str(made.id))
    assert [name for name in names_in(probe.directory) if str(made.id) in name] == []


async def test_D_22_a_line_that_is_damaged_hides_no_other_and_is_kept_by_the_next_change(probe: Probe) -> None:
    made = await saved(probe)
    await update(probe, made, note="1")
    probe.history(made).write_bytes(b'{"cut": \n\xff\xff\n' + probe.history(made).read_bytes())
    assert await numbers(probe, made) == [1]
    await update(probe, made, note="2")
    assert await numbers(probe, made) == [2, 1]
    assert probe.history(made).read_bytes().splitlines()[1:3] == [b'{"cut": ', b"\xff\xff"]


async def test_D_25_unknown_members_are_kept_in_the_history_and_come_back_with_a_rollback(probe: Probe) -> None:
    made = await saved(probe, password="x")
    edit(probe.path(made), later={"a": [1, None]}, another="x")
    await update(probe, made, note="new")
    without = json.loads(probe.path(made).read_bytes())
    del without["later"], without["another"]
    probe.path(made).write_text(json.dumps(without))
    await back(probe, made, 1)
    stored = json.loads(probe.path(made).read_bytes())
    assert (stored["later"], stored["another"]) == ({"a": [1, None]}, "x")
    assert (await probe.clear(made.id)).password.reveal() == "x"


@pytest.mark.parametrize("plant", [os.mkfifo, os.mkdir, lambda path: path.symlink_to(".lock")])
async def test_S_03_D_15_a_history_that_cannot_be_read_is_said_and_nothing_changes(
    probe: Probe, plant: Callable[[Path], None]
) -> None:
    made = await saved(probe, password="x")
    plant(probe.history(made))
    before, descriptors = probe.path(made).read_bytes(), open_descriptors()
    for work in (
        update(probe, made, note="new"),
        probe.service.history(str(made.id)),
        probe.service.rollback(str(made.id), 7),
        probe.service.purge_history(str(made.id)),
    ):
        with pytest.raises(RecordUnreadableError, match="history"):
            await work
    assert probe.path(made).read_bytes() == before
    assert open_descriptors() == descriptors
    assert not [name for name in names_in(probe.directory) if name.startswith(".tmp")]
    assert await probe.state(made.id) == "ok"


async def test_D_22_a_history_of_a_gigabyte_is_not_read_and_not_written_over(probe: Probe) -> None:
    made = await saved(probe)
    with probe.history(made).open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(RecordUnreadableError):
        await update(probe, made, note="new")
    assert probe.history(made).stat().st_size == 1 << 30


async def test_the_stored_revision_is_no_former_one_though_a_crash_left_it_in_the_history(probe: Probe) -> None:
    made = await saved(probe)
    await update(probe, made, note="1")
    crashed = await update(probe, made, note="2")
    record = probe.path(made).read_bytes()
    await update(probe, made, note="never acknowledged")
    probe.path(made).write_bytes(record)
    assert crashed.revision == 3
    assert [line["revision"] for line in lines(probe, made)] == [3, 2, 1]
    assert await numbers(probe, made) == [2, 1]
    await update(probe, made, note="3")
    assert [line["revision"] for line in lines(probe, made)] == [3, 2, 1]
    assert await numbers(probe, made) == [3, 2, 1]


async def test_an_older_record_that_was_put_back_makes_its_history_go_on_from_there(probe: Probe) -> None:
    made = await saved(probe, note="0")
    backup = probe.path(made).read_bytes()
    for number in range(1, 4):
        await update(probe, made, note=str(number))
    probe.path(made).write_bytes(backup)
    assert await numbers(probe, made) == []
    await update(probe, made, note="again")
    assert await numbers(probe, made) == [1]


async def test_a_purge_between_preparing_and_writing_is_not_undone(probe: Probe, workspace: Path) -> None:
    made = await saved(probe, password="x")
    await update(probe, made, note="1")
    entry = await probe.store.read(str(made.id))
    assert entry is not None
    assert entry.record is not None
    directory = StoreDirectory(workspace).open_for_writing()
    new = replace(entry.record, revision=3)
    with prepared(directory, entry.record, new, by="me", kept=20) as put:
        await probe.service.purge_history(str(made.id))
        put(entry.record)
    assert [line["secrets"]["/password"]["box"] != "" for line in lines(probe, made)] == [True, False]
    assert not [name for name in names_in(probe.directory) if name.startswith(".tmp")]


async def test_the_state_that_is_kept_is_the_one_that_is_stored_when_the_lock_is_held(
    probe: Probe, workspace: Path
) -> None:
    made = await saved(probe)
    entry = await probe.store.read(str(made.id))
    assert entry is not None
    assert entry.record is not None
    directory = StoreDirectory(workspace).open_for_writing()
    with prepared(directory, entry.record, replace(entry.record, revision=2), by=None, kept=20) as put:
        put(replace(entry.record, description="edited by hand meanwhile"))
    assert [line["description"] for line in lines(probe, made)] == ["edited by hand meanwhile"]


async def test_a_name_of_a_user_that_no_text_can_hold_does_not_stop_the_change(probe: Probe, workspace: Path) -> None:
    made = await saved(probe)
    entry = await probe.store.read(str(made.id))
    assert entry is not None
    assert entry.record is not None
    await probe.store.replace(replace(entry.record, revision=2), expected=1, by="\udcff" * 500)
    assert [found.by for found in await probe.store.history(str(made.id))] == ["?" * 200]


# Going back


async def test_a_rollback_restores_all_of_a_revision_as_a_new_one(probe: Probe, canary: Canary) -> None:
    secrets = [canary.secret() for _ in range(3)]
    made = await saved(
        probe,
        password=Secret(secrets[0]),
        tokens={"a/b": Secret(secrets[1])},
        proxy=Proxy(url="u", token=Secret(secrets[2])),
        ratio=2.5,
    )
    changes: dict[str, Any] = {"name": "renamed", "host": "other", "password": Secret(canary.secret())}
    await update(probe, made, **changes, tokens={}, proxy=None, ratio=1.0, description="d", labels={"a": "b"})
    restored = await back(probe, made, 1)
    base = {"revision", "updated_at", "password", "tokens", "proxy"}
    assert restored.model_dump(exclude=base) == made.model_dump(exclude=base)
    assert restored.revision == 3
    clear = await probe.clear(made.id)
    found = [clear.password, clear.tokens["a/b"], clear.proxy.token]
    assert [secret.reveal() for secret in found] == secrets
    assert await numbers(probe, made) == [2, 1]


async def test_a_secret_that_comes_back_counts_as_set_by_the_rollback_and_one_that_stayed_does_not(
    probe: Probe,
) -> None:
    made = await saved(probe, password="one", tokens={"kept": Secret("k"), "ref": Secret.from_reference("env:A")})
    await update(probe, made, password=Secret("two"))
    before = await probe.service.get_config(str(made.id))
    restored = await back(probe, made, 1)
    assert restored.password.facts.set_in_revision == 3
    assert restored.password.facts.set_at == restored.updated_at
    assert restored.tokens["kept"].facts == made.tokens["kept"].facts
    assert restored.tokens["ref"].facts == made.tokens["ref"].facts
    with pytest.raises(InputError) as caught:
        await probe.service.update_config(str(made.id), before)
    assert caught.value.common_code == "secret_state_changed"
    assert (await probe.clear(made.id)).password.reveal() == "one"


async def test_X_01_a_rollback_brings_a_secret_back_with_the_destination_that_it_was_given_for(probe: Probe) -> None:
    made = await saved(probe, host="first", password="for first")
    await update(probe, made, host="second", password=Secret("for second"))
    await back(probe, made, 1)
    clear = await probe.clear(made.id)
    assert (clear.host, clear.password.reveal()) == ("first", "for first")


async def test_C_04_a_destination_edited_in_the_history_gets_no_secret(probe: Probe) -> None:
    made = await saved(probe, password="x")
    await update(probe, made, note="new")
    probe.history(made).write_bytes(probe.history(made).read_bytes().replace(b'"host":"h"', b'"host":"attacker"'))
    before = probe.path(made).read_bytes()
    with pytest.raises(SecretUnavailableError):
        await back(probe, made, 1)
    assert probe.path(made).read_bytes() == before


async def test_C_02_a_revision_copied_from_another_data_source_is_none_of_this_one(probe: Probe) -> None:
    one, two = await saved(probe, "one", password="1"), await saved(probe, "two", password="2")
    for made in (one, two):
        await update(probe, made, note="new")
    text = probe.history(one).read_bytes()
    probe.history(two).write_bytes(text)
    assert await numbers(probe, two) == []
    probe.history(two).write_bytes(text.replace(str(one.id).encode(), str(two.id).encode()))
    assert await numbers(probe, two) == [1]
    with pytest.raises(SecretUnavailableError):
        await back(probe, two, 1)


async def test_a_rollback_to_what_is_stored_makes_no_revision(probe: Probe) -> None:
    made = await saved(probe, note="a", password="x")
    await update(probe, made, note="b")
    again = await update(probe, made, note="a")
    before = probe.path(made).stat()
    assert (await back(probe, made, 3)).revision == 3
    assert (await back(probe, made, 1)).revision == 3
    assert again.revision == 3
    assert probe.path(made).stat() == before


async def test_a_revision_that_is_not_kept_is_refused_with_those_that_are(workspace: Path) -> None:
    probe = probe_of(workspace, kept_revisions=2)
    made = await saved(probe)
    for number in range(4):
        await update(probe, made, note=str(number))
    for revision in (1, 6, 99):
        with pytest.raises(InputError) as caught:
            await back(probe, made, revision)
        [problem] = caught.value.problems
        assert (problem.code, problem.pointer, problem.allowed) == ("revision_not_kept", "/revision", (4, 3))


async def test_that_no_revision_is_kept_is_told_as_such(workspace: Path) -> None:
    probe = probe_of(workspace)
    made = await saved(probe)
    with pytest.raises(InputError, match="No former revision is kept"):
        await back(probe, made, 9)


async def test_D_27_D_28_a_rollback_made_for_another_revision_is_refused(probe: Probe) -> None:
    made = await saved(probe, note="a")
    await update(probe, made, note="b")
    with pytest.raises(RevisionMismatchError):
        await back(probe, made, 1, expected=1)
    assert (await back(probe, made, 1, expected=2)).revision == 3


async def test_a_name_that_somebody_else_has_by_now_is_taken(probe: Probe) -> None:
    made = await saved(probe, "first")
    await update(probe, made, name="second")
    await saved(probe, "FIRST")
    with pytest.raises(NameTakenError):
        await back(probe, made, 1)
    assert (await probe.service.get_config(str(made.id))).revision == 2


async def test_health_is_null_again_after_a_rollback(probe: Probe) -> None:
    made = await saved(probe, note="a")
    await update(probe, made, note="b")
    await probe.service.add_result(str(made.id), 1, result())
    await back(probe, made, 1)
    assert (await probe.service.read(str(made.id))).health is None


async def test_an_edit_by_hand_that_broke_a_data_source_is_mended_by_going_back(probe: Probe) -> None:
    made = await saved(probe, password="x")
    await update(probe, made, note="b")
    fields = json.loads(probe.path(made).read_bytes())["fields"]
    for broken, state in (({"host": "edited"}, "secret_unavailable"), ({"ratio": "text"}, "invalid")):
        edit(probe.path(made), fields={**fields, **broken})
        assert await probe.state(made.id) == state
        await back(probe, made, 1)
        assert await probe.state(made.id) == "ok"
        assert (await probe.clear(made.id)).password.reveal() == "x"


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lambda path: path.write_bytes(b"{"), RecordCorruptError),
        (lambda path: edit(path, wellhead_format=2), NewerFormatError),
    ],
)
async def test_D_22_D_23_a_record_that_cannot_be_read_is_not_written_over_and_shows_its_history(
    probe: Probe, damage: Callable[[Path], Any], error: type[ConflictError]
) -> None:
    made = await saved(probe, password="x")
    await update(probe, made, note="b")
    damage(probe.path(made))
    before = probe.path(made).read_bytes(), probe.history(made).read_bytes()
    with pytest.raises(error):
        await back(probe, made, 1)
    assert await numbers(probe, made) == [1]
    assert (probe.path(made).read_bytes(), probe.history(made).read_bytes()) == before


async def test_G_16_without_its_plugin_a_history_is_read_and_purged_and_not_restored(
    workspace: Path, probe: Probe
) -> None:
    made = await saved(probe, password="x")
    await update(probe, made, note="b")
    without = probe_of(workspace, model=None)
    assert await numbers(without, made) == [1]
    with pytest.raises(TypeUnavailableError):
        await back(without, made, 1)
    assert (await without.service.purge_history(str(made.id))).changed == 1


class Stricter(ProbeSource):
    """The same type, in a version with a rule that older states break."""

    @model_validator(mode="after")
    def _rule(self) -> "Stricter":
        if self.note == "old":
            raise ValueError("not any more")
        return self


async def test_a_revision_that_does_not_fit_its_type_any_more_is_refused(workspace: Path, probe: Probe) -> None:
    made = await saved(probe, note="old")
    await update(probe, made, note="new")
    with pytest.raises(RecordInvalidError, match="edit"):
        await back(probe_of(workspace, model=Stricter), made, 1)


# Purging


async def test_purging_takes_the_values_of_secrets_out_of_all_former_revisions(probe: Probe) -> None:
    made = await saved(probe, password="leaked", tokens={"ref": Secret.from_reference("env:A")})
    boxes = [json.loads(probe.path(made).read_bytes())["secrets"]["/password"]["box"]]
    await update(probe, made, note="b")
    boxes.append(json.loads(probe.path(made).read_bytes())["secrets"]["/password"]["box"])
    await update(probe, made, password=Secret("new"))
    done = await probe.service.purge_history(str(made.id))
    assert (done.changed, done.dropped) == (2, 0)
    text = probe.history(made).read_text()
    assert not [box for box in boxes if box in text]
    assert await numbers(probe, made) == [2, 1]
    with pytest.raises(SecretsPurgedError, match="anew"):
        await back(probe, made, 1)
    assert (await probe.clear(made.id)).password.reveal() == "new"


async def test_purging_twice_and_purging_nothing_change_nothing(probe: Probe) -> None:
    made = await saved(probe)
    assert (await probe.service.purge_history(str(made.id))).changed == 0
    await update(probe, made, password=Secret("x"))
    await update(probe, made, note="b")
    assert (await probe.service.purge_history(str(made.id))).changed == 1
    before = probe.history(made).stat()
    assert (await probe.service.purge_history(str(made.id))).changed == 0
    assert probe.history(made).stat() == before


async def test_purging_takes_out_what_cannot_be_read_since_it_may_hold_secrets(probe: Probe) -> None:
    made = await saved(probe, password="x")
    await update(probe, made, note="b")
    good = probe.history(made).read_bytes()
    newer = good.replace(b'"wellhead_format":1', b'"wellhead_format":2')
    probe.history(made).write_bytes(good + b'{"box": "cut off\n' + newer)
    done = await probe.service.purge_history(str(made.id))
    assert (done.changed, done.dropped) == (1, 2)
    assert len(lines(probe, made)) == 1


async def test_a_revision_without_secrets_is_restored_after_a_purge(probe: Probe) -> None:
    made = await saved(probe, note="a")
    await update(probe, made, password=Secret("x"))
    await update(probe, made, note="b")
    await probe.service.purge_history(str(made.id))
    restored = await back(probe, made, 1)
    assert (restored.note, restored.password) == ("a", None)
    with pytest.raises(SecretsPurgedError):
        await back(probe, made, 2)


# Faults


def leave_room(filler: Path, room: int) -> None:
    """Fill a disk up to so many bytes."""
    seen = os.statvfs(filler.parent)
    filler.write_bytes(bytes(seen.f_bavail * seen.f_frsize - room))


async def test_D_11_a_disk_too_full_for_the_history_changes_nothing_and_deleting_still_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "wellhead.storage.index.indexing.is_shared", lambda _: True
    )  # an index makes room by giving way
    with mounted(tmp_path, "-o", "size=160k"):
        probe = probe_of(tmp_path, key_file=tmp_path / "keys.json")
        made = await saved(probe, note="x" * 30_000)
        leave_room(tmp_path / "filler", 12_000)
        before, descriptors = names_in(probe.directory), open_descriptors()
        with pytest.raises(InsufficientStorageError):
            await update(probe, made, note="y")
        assert names_in(probe.directory) == before
        assert open_descriptors() == descriptors
        assert (await probe.service.get_config(str(made.id))).revision == 1
        await probe.service.delete_config(str(made.id))
        probe.store.close()


def contents(probe: Probe) -> dict[str, bytes]:
    """Return what is in the files of a store, but in its index, which can be made anew."""
    paths = (path for path in probe.directory.iterdir() if not path.name.startswith(".index"))
    return {path.name: path.read_bytes() for path in paths}


async def test_D_16_a_history_that_grows_too_large_for_the_limit_changes_nothing(probe: Probe) -> None:
    made = await saved(probe, note="x" * 3_000)
    await update(probe, made, note="y" * 3_000)
    before = contents(probe)
    with limited(resource.RLIMIT_FSIZE, 4_500), pytest.raises(StorageIOError):
        await update(probe, made, note="z" * 3_000)
    assert contents(probe) == before
    await update(probe, made, note="z")
    assert await numbers(probe, made) == [2, 1]


async def test_of_changes_at_the_same_time_each_revision_is_kept_once(probe: Probe) -> None:
    made = await saved(probe, note="0")

    async def change(number: int) -> None:
        while True:
            try:
                await update(probe, made, note=str(number))
            except RevisionMismatchError:
                continue
            return

    await asyncio.gather(*(change(number) for number in range(1, 13)))
    assert await numbers(probe, made) == list(range(12, 0, -1))
