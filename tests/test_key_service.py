"""Keys and what needs them: listing, adding, rotating, retiring."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.canary import Canary
from support.faults import mounted, read_only
from support.probe import NO_ID, Probe, ProbeSource, probe_of
from support.results import result
from wellhead import Secret
from wellhead.errors import InputError, KeyInUseError, KeyRingDamagedError, KeyRingError, KeyRingMissingError
from wellhead.secrets.key_variable import VariableKeys
from wellhead.secrets.keyring import KeyRing
from wellhead.storage.key_service import KeyService
from wellhead.storage.live_keys import LiveKeys
from wellhead.storage.records import Record

pytestmark = pytest.mark.anyio


@pytest.fixture
def probe(workspace: Path) -> Probe:
    return probe_of(workspace)


@pytest.fixture
def keys(probe: Probe) -> KeyService:
    return key_service_of(probe)


def key_service_of(probe: Probe) -> KeyService:
    return KeyService(probe.store, LiveKeys(probe.keys))


async def saved(probe: Probe, name: str = "n", secret: str = "x", **more: Any) -> Any:
    return await probe.service.save_config(ProbeSource(name=name, host="h", password=secret, **more))


def key_of(probe: Probe, config: Any) -> str:
    return str(json.loads(probe.path(config).read_bytes())["encryption"]["key_id"])


def states_of(probe: Probe) -> list[str]:
    return [key.state for key in probe.keys.ring().keys]


def break_box(probe: Probe, config: Any) -> bytes:
    """Damage a secret of a record, and return the record's text."""
    document = json.loads(probe.path(config).read_bytes())
    document["fields"]["host"] = "attacker"
    probe.path(config).write_text(json.dumps(document))
    return probe.path(config).read_bytes()


# What needs which key


async def test_the_keys_are_listed_with_how_many_records_need_them(probe: Probe, keys: KeyService) -> None:
    await saved(probe, "one")
    await saved(probe, "two")
    await probe.service.save_config(ProbeSource(name="without secrets", host="h"))
    await keys.add(primary=True)
    await saved(probe, "three")
    await keys.add(primary=False)
    found = await keys.uses()
    assert [(use.state, use.records) for use in found] == [("enabled", 2), ("primary", 1), ("enabled", 0)]
    assert [use.as_document().keys() for use in found] == [{"id", "state", "created_at", "records", "revisions"}] * 3


async def test_C_09_a_key_that_is_needed_and_not_in_the_ring_is_listed_as_missing(
    probe: Probe, keys: KeyService, tmp_path: Path
) -> None:
    lost = key_of(probe, await saved(probe))
    (tmp_path / "config" / "keys.json").unlink()
    with pytest.raises(KeyRingMissingError, match="Restore it from a backup"):
        await keys.rotate()
    assert [(use.id, use.state, use.records) for use in await keys.uses()] == [(lost, "missing", 1)]
    (tmp_path / "config" / "keys.json").write_bytes(KeyRing.first().to_bytes())
    (tmp_path / "config" / "keys.json").chmod(0o600)
    assert [(use.state, use.records) for use in await keys.uses()] == [("primary", 0), ("missing", 1)]


async def test_listing_makes_nothing(probe: Probe, keys: KeyService, tmp_path: Path) -> None:
    assert await keys.uses() == []
    assert not (tmp_path / "config").exists()
    assert not probe.directory.exists()


# A new key


async def test_a_first_key_is_primary_and_a_second_one_is_not_used_yet(probe: Probe, keys: KeyService) -> None:
    assert (await keys.add(primary=False)).state == "primary"
    assert (await keys.add(primary=False)).state == "enabled"
    assert (await keys.add(primary=True)).state == "primary"
    assert states_of(probe) == ["enabled", "enabled", "primary"]


async def test_C_14_a_lost_ring_is_replaced_only_on_demand(probe: Probe, keys: KeyService, tmp_path: Path) -> None:
    made = await saved(probe)
    (tmp_path / "config" / "keys.json").unlink()
    with pytest.raises(KeyRingMissingError, match=r"Restore it .* 'wellhead keys add --primary'"):
        await keys.add(primary=False)
    assert not (tmp_path / "config" / "keys.json").exists()
    new = await keys.add(primary=True)
    await probe.service.update_config(str(made.id), made.model_copy(update={"password": Secret("sent anew")}))
    assert key_of(probe, made) == new.id
    assert (await probe.clear(made.id)).password.reveal() == "sent anew"


async def test_a_ring_in_a_variable_is_rotated_to_what_its_owner_made_primary(probe: Probe) -> None:
    old = await saved(probe)
    ring = probe.keys.ring()
    for now, is_done in ((ring, False), (ring.with_new_key(primary=True), True)):
        service = KeyService(probe.store, LiveKeys(VariableKeys(now.to_bytes().decode())))
        with pytest.raises(KeyRingError, match="WELLHEAD_KEY_FILE"):
            await service.add(primary=True)
        if is_done:
            assert (await service.rotate()).resealed == 1
        else:
            with pytest.raises(KeyRingError, match="WELLHEAD_KEY_FILE"):
                await service.rotate()
        assert key_of(probe, old) == now.primary.id


# Rotation


async def test_C_10_a_rotation_changes_the_boxes_and_nothing_else(
    probe: Probe, keys: KeyService, canary: Canary
) -> None:
    secrets = [canary.secret() for _ in range(3)]
    made = await saved(probe, secret=secrets[0], tokens={"a/b~c": Secret(secrets[1]), "é": Secret(secrets[2])})
    await probe.service.add_result(str(made.id), 1, result())
    await probe.service.save_config(
        ProbeSource(name="reference", host="h", password=Secret.from_reference("env:PG_PASSWORD"))
    )
    before = json.loads(probe.path(made).read_bytes())
    documents = [item.as_document() for item in await probe.service.list_configs()]
    rotation = await keys.rotate()
    after = json.loads(probe.path(made).read_bytes())
    assert (rotation.is_new, rotation.resealed, rotation.left) == (True, 2, [])
    assert after["encryption"].pop("key_id") == rotation.key_id != before["encryption"].pop("key_id")
    for pointer, entry in after["secrets"].items():
        assert entry.pop("box") != before["secrets"][pointer].pop("box")
    assert after == before
    assert [item.as_document() for item in await probe.service.list_configs()] == documents
    clear = await probe.clear(made.id)
    assert [clear.password.reveal(), *(token.reveal() for token in clear.tokens.values())] == secrets
    assert probe.path(made).stat().st_mode & 0o777 == 0o600


async def test_C_10_each_rotation_makes_a_key_and_the_old_ones_still_open(probe: Probe, keys: KeyService) -> None:
    made = await saved(probe)
    old = probe.path(made).read_bytes()
    used = [(await keys.rotate()).key_id for _ in range(3)]
    assert len(set(used)) == 3
    assert states_of(probe) == ["enabled", "enabled", "enabled", "primary"]
    probe.path(made).write_bytes(old)  # as from a backup
    assert (await probe.clear(made.id)).password.reveal() == "x"


async def test_C_10_what_a_rotation_left_undone_is_finished_by_the_next_without_another_key(
    probe: Probe, keys: KeyService
) -> None:
    made = [await saved(probe, f"n{number}") for number in range(3)]
    await keys.add(primary=True)
    await probe.service.update_config(str(made[0].id), made[0].model_copy(update={"note": "changed"}))
    rotation = await keys.rotate()
    assert (rotation.is_new, rotation.resealed, rotation.left) == (False, 3, [])  # with one former revision
    assert {key_of(probe, config) for config in made} == {rotation.key_id}
    assert len(probe.keys.ring().keys) == 2


async def test_a_key_that_was_added_for_it_becomes_primary(probe: Probe, keys: KeyService) -> None:
    made = await saved(probe)
    added = await keys.add(primary=False)
    assert (await keys.rotate()).key_id == added.id == key_of(probe, made)
    assert states_of(probe) == ["enabled", "primary"]


async def test_a_rotation_to_the_primary_key_makes_no_key(probe: Probe, keys: KeyService) -> None:
    made = await saved(probe)
    assert not (await keys.rotate(new_key=False)).resealed
    new = await keys.add(primary=True)
    assert (await keys.rotate(new_key=False)).resealed == 1
    assert key_of(probe, made) == new.id
    assert len(probe.keys.ring().keys) == 2


async def test_a_rotation_of_nothing_makes_a_key_and_without_a_ring_says_so(probe: Probe, keys: KeyService) -> None:
    with pytest.raises(KeyRingMissingError, match="nothing is encrypted"):
        await keys.rotate()
    await keys.add(primary=False)
    rotation = await keys.rotate()
    assert (rotation.is_new, rotation.resealed, rotation.left) == (True, 0, [])
    assert not probe.directory.exists()


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("edited", "edited or moved"),
        ("missing key", "not in the key ring"),
        ("disabled key", "disabled"),
        ("corrupt", "damaged"),
        ("newer", "newer Wellhead"),
    ],
)
async def test_C_10_what_does_not_open_is_left_as_it_is_and_named_and_the_rest_is_rotated(
    probe: Probe, keys: KeyService, how: str, reason: str, tmp_path: Path
) -> None:
    broken, good = await saved(probe, "broken"), await saved(probe, "good")
    path = probe.path(broken)
    if how == "edited":
        break_box(probe, broken)
    elif how == "corrupt":
        path.write_bytes(path.read_bytes()[:-20])
    elif how == "newer":
        path.write_text(json.dumps(json.loads(path.read_bytes()) | {"wellhead_format": 2}))
    else:
        other = KeyRing.first()
        path.write_bytes(path.read_bytes().replace(key_of(probe, broken).encode(), other.primary.id.encode()))
        if how == "disabled key":
            ring = KeyRing((replace(other.primary, state="disabled"), *probe.keys.ring().keys))
            (tmp_path / "config" / "keys.json").write_bytes(ring.to_bytes())
    before = path.read_bytes()
    for _ in range(2):
        rotation = await keys.rotate()
        assert rotation.is_new
        assert rotation.resealed == 1
        assert [(left.document.id, reason in left.reason) for left in rotation.left] == [(str(broken.id), True)]
        assert rotation.as_document()["left"][0]["reason"] == rotation.left[0].reason
        assert path.read_bytes() == before
        assert (await probe.clear(good.id)).password.reveal() == "x"
        assert key_of(probe, good) == rotation.key_id


async def test_a_record_whose_type_is_gone_is_rotated_too(workspace: Path, canary: Canary) -> None:
    secret = canary.secret()
    made = await saved(probe_of(workspace), secret=secret)
    rotation = await key_service_of(probe_of(workspace, model=None)).rotate()
    assert (rotation.resealed, rotation.left) == (1, [])
    assert (await probe_of(workspace).clear(made.id)).password.reveal() == secret


async def test_members_of_a_newer_minor_format_survive_a_rotation(probe: Probe, keys: KeyService) -> None:
    made = await saved(probe)
    document = json.loads(probe.path(made).read_bytes()) | {"x_later": {"a": [1]}}
    probe.path(made).write_text(json.dumps(document))
    await keys.rotate()
    assert json.loads(probe.path(made).read_bytes())["x_later"] == {"a": [1]}


async def test_D_51_a_damaged_ring_is_neither_rotated_nor_replaced(
    probe: Probe, keys: KeyService, tmp_path: Path
) -> None:
    before = (await saved(probe), (tmp_path / "config" / "keys.json").write_bytes(b""))[0]
    text = probe.path(before).read_bytes()
    for asked in (keys.rotate(), keys.add(primary=True), keys.uses()):
        with pytest.raises(KeyRingDamagedError):
            await asked
    assert probe.path(before).read_bytes() == text
    assert (tmp_path / "config" / "keys.json").read_bytes() == b""


async def test_D_14_what_cannot_be_written_is_left_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "wellhead.storage.index.indexing.is_shared", lambda _: True
    )  # an open index keeps a disk writable
    (tmp_path / "disk").mkdir()
    with mounted(tmp_path / "disk"):
        probe = probe_of(tmp_path / "disk")
        made = await saved(probe)
        keys = key_service_of(probe_of(tmp_path / "disk"))
        with read_only(tmp_path / "disk"):
            rotation = await keys.rotate()
        assert [left.document.id for left in rotation.left] == [str(made.id)]
        assert "cannot be written" in rotation.left[0].reason
        assert (await probe.clear(made.id)).password.reveal() == "x"
        assert (await keys.rotate()).left == []
        probe.store.close()


async def test_the_progress_of_a_rotation_is_told(probe: Probe, keys: KeyService) -> None:
    for number in range(20):
        await saved(probe, f"n{number}")
    told: list[tuple[int, int]] = []
    await keys.rotate(report=lambda done, total: told.append((done, total)))
    assert told == [(number, 20) for number in range(1, 21)]


# Former revisions


async def with_history(probe: Probe, *secrets: str) -> Any:
    """Save a data source whose every revision has another secret."""
    made = await saved(probe, secret=secrets[0])
    for secret in secrets[1:]:
        made = await probe.service.update_config(str(made.id), made.model_copy(update={"password": Secret(secret)}))
    return made


def history_of(probe: Probe, config: Any) -> list[dict[str, Any]]:
    text = (probe.directory / f"{config.id}.history.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


async def test_C_10_a_rotation_covers_the_history_and_former_secrets_can_be_restored(
    probe: Probe, keys: KeyService, canary: Canary
) -> None:
    secrets = [canary.secret() for _ in range(3)]
    made = await with_history(probe, *secrets)
    before = history_of(probe, made)
    rotation = await keys.rotate()
    assert (rotation.resealed, rotation.left) == (3, [])
    after = history_of(probe, made)
    assert [(use.state, use.records, use.revisions) for use in await keys.uses()] == [
        ("enabled", 0, 0),
        ("primary", 1, 2),
    ]
    for old, new in zip(before, after, strict=True):
        assert new["encryption"].pop("key_id") == rotation.key_id != old["encryption"].pop("key_id")
        assert new["secrets"]["/password"].pop("box") != old["secrets"]["/password"].pop("box")
    assert after == before
    await keys.retire(next(use.id for use in await keys.uses() if use.state == "enabled"))
    for number, secret in enumerate(secrets, start=1):
        await probe.service.rollback(str(made.id), number)
        assert (await probe.clear(made.id)).password.reveal() == secret


async def test_C_10_a_key_that_the_history_needs_is_not_retired(probe: Probe, keys: KeyService) -> None:
    made = await with_history(probe, "one", "two")
    old = key_of(probe, made)
    await keys.add(primary=True)
    changed = made.model_copy(update={"password": Secret("three")})
    await probe.service.update_config(str(made.id), changed)
    with pytest.raises(KeyInUseError, match="needed by 2 former revisions"):
        await keys.retire(old)
    await keys.rotate()
    await keys.retire(old)


async def test_what_was_purged_from_the_history_needs_no_key(probe: Probe, keys: KeyService) -> None:
    made = await with_history(probe, "one", "two", "three")
    await probe.service.purge_history(str(made.id))
    before = history_of(probe, made)
    rotation = await keys.rotate()
    assert (rotation.resealed, rotation.left) == (1, [])
    assert history_of(probe, made) == before


@pytest.mark.parametrize("line", [b"{", b'{"wellhead_format": 2}'])
async def test_a_line_of_a_history_that_cannot_be_read_is_left_and_named(
    probe: Probe, keys: KeyService, line: bytes
) -> None:
    made = await with_history(probe, "one", "two")
    old = key_of(probe, made)
    path = probe.directory / f"{made.id}.history.jsonl"
    path.write_bytes(path.read_bytes() + line + b"\n")
    rotation = await keys.rotate()
    assert rotation.resealed == 2
    assert [(left.document.id, "line of its history" in left.reason) for left in rotation.left] == [
        (str(made.id), True)
    ]
    assert path.read_bytes().splitlines()[-1] == line
    with pytest.raises(KeyInUseError, match=str(made.id)):
        await keys.retire(old)


async def test_a_history_that_cannot_be_read_is_left_and_named(probe: Probe, keys: KeyService) -> None:
    made = await with_history(probe, "one", "two")
    path = probe.directory / f"{made.id}.history.jsonl"
    path.unlink()
    path.mkdir()
    rotation = await keys.rotate()
    assert {left.document.id for left in rotation.left} == {str(made.id)}
    assert any("history" in left.reason for left in rotation.left)


# Others at work


async def test_D_31_a_change_that_is_saved_during_a_rotation_is_not_lost(probe: Probe, keys: KeyService) -> None:
    made = [await saved(probe, f"n{number}") for number in range(10)]
    other = probe_of(probe.directory.parent)

    async def count_up(config: Any) -> None:
        for number in range(5):
            now = await other.service.get_config(str(config.id))
            await other.service.update_config(str(config.id), now.model_copy(update={"note": str(number)}))

    async def rotate() -> None:
        for _ in range(5):
            await keys.rotate()

    await asyncio.gather(rotate(), *(count_up(config) for config in made))
    assert (await keys.rotate()).left == []
    for config in made:
        now = (await probe.service.read(str(config.id))).as_document()
        assert (now["note"], now["revision"]) == ("4", 6)
        assert (await probe.clear(config.id)).password.reveal() == "x"


async def test_a_record_that_changed_while_it_was_sealed_anew_is_sealed_anew_once_more(probe: Probe) -> None:
    made = await saved(probe)
    seen: list[str | None] = []

    def change(record: Record) -> Record:
        seen.append(record.description)
        if len(seen) == 1:
            path = probe.path(made)
            path.write_text(json.dumps(json.loads(path.read_bytes()) | {"description": "by hand"}))
        return replace(record, labels={"a": "b"})

    assert await probe.store.rewrite(str(made.id), change)
    assert seen == [None, "by hand"]
    entry = await probe.store.read(str(made.id))
    assert entry is not None
    assert entry.record is not None
    assert (entry.record.description, entry.record.labels) == ("by hand", {"a": "b"})
    assert not list(probe.directory.glob(".tmp*"))


async def test_what_is_not_there_or_does_not_change_is_not_written(probe: Probe) -> None:
    made = await saved(probe)
    before = probe.path(made).stat().st_ino
    assert not await probe.store.rewrite(str(made.id), lambda record: record)
    for record_id in (NO_ID, "../x"):
        assert not await probe.store.rewrite(record_id, lambda record: replace(record, name="never"))
    assert probe.path(made).stat().st_ino == before


# Retiring


async def test_a_key_is_disabled_when_nothing_needs_it_and_deleted_after_that(
    probe: Probe, keys: KeyService, tmp_path: Path
) -> None:
    old = key_of(probe, await saved(probe))
    await keys.rotate()
    with pytest.raises(KeyInUseError, match="not disabled yet"):
        await keys.retire(old, delete=True)
    await keys.retire(old)
    assert states_of(probe) == ["disabled", "primary"]
    await keys.retire(old, delete=True)
    assert states_of(probe) == ["primary"]
    assert old not in (tmp_path / "config" / "keys.json").read_text()


async def test_C_10_a_key_that_a_record_needs_is_not_retired(probe: Probe, keys: KeyService) -> None:
    old = key_of(probe, await saved(probe))
    await saved(probe, "another")
    await keys.add(primary=True)
    with pytest.raises(KeyInUseError, match=r"needed by 2 records.*wellhead keys rotate"):
        await keys.retire(old)
    assert states_of(probe) == ["enabled", "primary"]


@pytest.mark.parametrize("how", ["newer", "edited"])
async def test_a_key_is_kept_for_a_record_that_may_open_again(probe: Probe, keys: KeyService, how: str) -> None:
    made = await saved(probe)
    old = key_of(probe, made)
    if how == "edited":
        break_box(probe, made)
    else:
        document = json.loads(probe.path(made).read_bytes()) | {"wellhead_format": 2}
        probe.path(made).write_text(json.dumps(document))
    await keys.rotate()
    with pytest.raises(KeyInUseError, match="needed by 1 record"):
        await keys.retire(old)


async def test_no_key_is_retired_while_a_record_does_not_say_which_it_needs(probe: Probe, keys: KeyService) -> None:
    made = await saved(probe)
    old = key_of(probe, made)
    good = probe.path(made).read_bytes()
    await keys.add(primary=True)
    probe.path(made).write_bytes(b"{")
    with pytest.raises(KeyInUseError, match=str(made.id)):
        await keys.retire(old)
    probe.path(made).write_bytes(good)
    await keys.rotate()
    await keys.retire(old)


async def test_a_key_that_is_needed_after_all_stays_enabled(
    probe: Probe, keys: KeyService, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await saved(probe)
    old, before = key_of(probe, made), probe.path(made).read_bytes()
    await keys.rotate()
    change: Callable[..., Any] = keys._keys.change

    async def change_and_save(*arguments: Any) -> Any:
        """Let a write that had begun before the rotation end just as the key is disabled."""
        probe.path(made).write_bytes(before)
        return await change(*arguments)

    monkeypatch.setattr(keys._keys, "change", change_and_save)
    with pytest.raises(KeyInUseError):
        await keys.retire(old)
    assert states_of(probe) == ["enabled", "primary"]


async def test_the_primary_key_and_one_that_is_not_there_are_not_retired(probe: Probe, keys: KeyService) -> None:
    primary = (await keys.add(primary=False)).id
    with pytest.raises(KeyInUseError, match="primary"):
        await keys.retire(primary)
    with pytest.raises(InputError) as caught:
        await keys.retire("k-that-was-typed")
    assert caught.value.problems[0].allowed == (primary,)
    assert "k-that-was-typed" not in str(caught.value)


async def test_a_key_that_another_command_made_primary_meanwhile_is_not_retired(
    probe: Probe, keys: KeyService, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keys.add(primary=False)
    old = (await keys.add(primary=False)).id
    change: Callable[..., Any] = keys._keys.change

    async def made_primary_before(*arguments: Any) -> Any:
        probe.keys.change(lambda ring: (ring or KeyRing.first()).with_primary(old))
        return await change(*arguments)

    monkeypatch.setattr(keys._keys, "change", made_primary_before)
    with pytest.raises(KeyInUseError, match="primary"):
        await keys.retire(old)
    assert states_of(probe) == ["enabled", "primary"]
