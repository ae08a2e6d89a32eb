"""`ConfigurationStorageService`, over real files."""

import json
import os
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import model_validator

import wellhead
from support.canary import Canary
from support.probe import NO_ID, Probe, ProbeSource, probe_of, saved
from support.results import result
from wellhead import Secret
from wellhead.errors import (
    ConflictError,
    DataSourceNotFoundError,
    InputError,
    NameTakenError,
    NewerFormatError,
    RecordCorruptError,
    RecordInvalidError,
    RecordTooLargeError,
    RevisionMismatchError,
    SecretUnavailableError,
    TypeUnavailableError,
)
from wellhead.storage.stored import StoredDataSource

pytestmark = pytest.mark.anyio


@pytest.fixture
def probe(workspace: Path) -> Probe:
    return probe_of(workspace)


async def update(probe: Probe, config: Any, *, expected: int | None = None, **changes: Any) -> Any:
    changed = config.model_copy(update=changes)
    return await probe.service.update_config(config.id, changed, expected=expected)


def edit(probe: Probe, config: Any, **members: Any) -> bytes:
    text = json.dumps({**json.loads(probe.path(config).read_bytes()), **members}).encode()
    probe.path(config).write_bytes(text)
    return text


async def test_a_data_source_is_found_by_the_id_that_it_was_given_whether_or_not_as_a_text(probe: Probe) -> None:
    for as_id in (str, UUID):
        made = await saved(probe)
        given = as_id(str(made.id))
        assert (await probe.service.get_config(given)).id == made.id
        changed = made.model_copy(update={"description": "x"})
        assert (await probe.service.update_config(given, changed)).revision == 2
        await probe.service.delete_config(given)
        with pytest.raises(DataSourceNotFoundError):
            await probe.service.get_config(given)


async def test_a_saved_data_source_has_what_the_server_makes_and_sealed_secrets(probe: Probe, canary: Canary) -> None:
    made = await saved(probe, password=Secret(canary.secret()))
    assert made.revision == 1
    assert made.created_at == made.updated_at
    assert made.password.is_sealed
    assert made == await probe.service.get_config(str(made.id))
    assert made.password.facts.set_in_revision == 1
    assert made.password.facts.set_at == made.created_at


async def test_what_a_save_returns_is_what_a_read_shows_wherever_the_secrets_are(probe: Probe) -> None:
    everywhere = {"password": Secret("a"), "tokens": {"x/y": Secret("b")}, "proxy": {"url": "u", "token": Secret("c")}}
    config = ProbeSource(name="n", host="h", ratio=2, labels={"a": "b"}, **everywhere)

    made = await probe.service.save(config)
    assert shown(made) == shown(await probe.service.read(made.id))
    changed = await probe.service.update(made.id, ProbeSource(name="m", host="h", **everywhere))
    assert shown(changed) == shown(await probe.service.read(made.id))
    assert str(changed.config).count("Secret(…)") == 3


def shown(stored: StoredDataSource) -> tuple[str, Any]:
    return json.dumps(stored.as_document()), stored.config


async def test_X_06_an_id_that_was_sent_is_not_used(probe: Probe) -> None:
    wanted = ProbeSource(name="n", host="h", id=uuid4(), revision=7)
    made = await probe.service.save_config(wanted)
    assert made.id != wanted.id
    assert made.revision == 1


async def test_a_write_equal_to_what_is_stored_makes_no_revision_and_touches_no_file(probe: Probe) -> None:
    made = await saved(probe, password="x", ratio=5.0)
    before = probe.path(made).stat()
    assert await update(probe, made) == made
    after = probe.path(made).stat()  # but for when it was last read
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )


async def test_a_literal_secret_always_makes_a_revision(probe: Probe) -> None:
    made = await saved(probe, password="x")
    again = await update(probe, made, password=Secret("x"))
    assert again.revision == 2
    assert again.password.facts.set_in_revision == 2


async def test_a_kept_secret_keeps_its_facts_and_its_value(probe: Probe) -> None:
    made = await saved(probe, password="x")
    changed = await update(probe, made, note="new")
    assert changed.password.facts == made.password.facts
    assert (await probe.clear(made.id)).password.reveal() == "x"
    assert (changed.created_at, changed.revision) == (made.created_at, 2)


async def test_X_01_a_secret_is_not_kept_for_another_host_and_nothing_is_saved(probe: Probe) -> None:
    made = await saved(probe, password="x")
    before = probe.path(made).read_bytes()
    with pytest.raises(InputError) as caught:
        await update(probe, made, host="attacker")
    assert [(problem.pointer, problem.code) for problem in caught.value.problems] == [("/password", "secret_required")]
    assert probe.path(made).read_bytes() == before


async def test_X_03_a_configuration_with_another_host_still_reveals_what_was_bound_only(probe: Probe) -> None:
    made = await saved(probe, password="x")
    stored = await probe.service.read(str(made.id))
    other = made.model_copy(update={"note": "harmless"})
    assert (await probe.service.reveal(stored, other)).password.reveal() == "x"  # type: ignore[attr-defined]


class Other(wellhead.DataSourceConfig):
    """Another type."""

    type: str = "other"


async def test_X_04_the_type_cannot_be_changed(probe: Probe) -> None:
    made = await saved(probe, password="x")
    with pytest.raises(InputError) as caught:
        await probe.service.update_config(str(made.id), Other(name="n"))
    assert caught.value.common_code == "immutable"


async def test_saving_a_type_that_is_not_there_is_refused(probe: Probe) -> None:
    with pytest.raises(TypeUnavailableError):
        await probe.service.save_config(Other(name="n"))


async def test_D_27_D_28_a_stale_revision_is_refused_even_if_the_state_is_back(probe: Probe) -> None:
    made = await saved(probe, note="one")
    changed = await update(probe, made, note="two")
    await update(probe, changed, note="one")
    with pytest.raises(RevisionMismatchError) as caught:
        await update(probe, made, note="three", expected=1)
    assert caught.value.stored == 3
    with pytest.raises(RevisionMismatchError):
        await probe.service.delete_config(str(made.id), expected=2)


async def test_names_are_unique_and_can_be_swapped_for_their_own(probe: Probe) -> None:
    made = await saved(probe, "Wärehouse")
    with pytest.raises(NameTakenError):
        await saved(probe, "WÄREHOUSE")
    assert (await update(probe, made, name="WÄREHOUSE")).name == "WÄREHOUSE"


@pytest.mark.parametrize("config_id", [NO_ID, "../../x", "", "\0", "A" * 36])
async def test_S_01_what_is_not_there_is_not_found(probe: Probe, config_id: str) -> None:
    made = await saved(probe)
    for work in (
        probe.service.get_config(config_id),
        probe.service.read(config_id),
        probe.service.update_config(config_id, made),
        probe.service.delete_config(config_id, force=True),
    ):
        with pytest.raises(DataSourceNotFoundError):
            await work


async def test_D_25_unknown_members_of_a_record_are_kept_on_update(probe: Probe) -> None:
    made = await saved(probe, password="x")
    edit(probe, made, later={"a": [1, None]}, another="x")
    await update(probe, made, note="new")
    stored = json.loads(probe.path(made).read_bytes())
    assert (stored["later"], stored["another"]) == ({"a": [1, None]}, "x")
    assert (await probe.clear(made.id)).password.reveal() == "x"


async def test_D_23_a_newer_format_is_listed_and_never_touched(probe: Probe) -> None:
    made = await saved(probe, password="x")
    text = edit(probe, made, wellhead_format=2)
    stored = await probe.service.read(str(made.id))
    assert (stored.state, stored.name, stored.type) == ("newer_format", "warehouse", "probe")
    for work in (
        probe.service.get_config(str(made.id)),
        update(probe, made, note="x"),
        probe.service.delete_config(str(made.id)),
        probe.service.reveal(stored),
    ):
        with pytest.raises(NewerFormatError):
            await work
    assert probe.path(made).read_bytes() == text
    await probe.service.delete_config(str(made.id), force=True)
    assert not probe.path(made).exists()


async def test_D_22_a_corrupt_record_is_refused_until_it_is_deleted_by_force(probe: Probe) -> None:
    made = await saved(probe, password="x")
    probe.path(made).write_bytes(b"{")
    for work in (
        probe.service.get_config(str(made.id)),
        update(probe, made),
        probe.service.delete_config(str(made.id)),
    ):
        with pytest.raises(RecordCorruptError):
            await work
    assert probe.path(made).read_bytes() == b"{"
    await probe.service.delete_config(str(made.id), force=True)
    assert await probe.service.list_configs() == []


async def test_G_16_a_record_whose_plugin_is_gone_is_listed_and_deletable_and_not_changed(
    workspace: Path, probe: Probe
) -> None:
    made = await saved(probe, password="x", options={"a": 1})
    without = probe_of(workspace, model=None)
    [stored] = await without.service.list_configs()
    assert (stored.state, stored.name, stored.as_document()["options"]) == ("type_unavailable", "warehouse", {"a": 1})
    with pytest.raises(TypeUnavailableError):
        await update(without, made, note="x")
    with pytest.raises(TypeUnavailableError):
        await without.service.get_config(str(made.id))
    await without.service.delete_config(str(made.id))
    assert await without.service.list_configs() == []


class Stricter(ProbeSource):
    """The same type, in a version with a rule that older records break, and a rule that stumbles."""

    @model_validator(mode="after")
    def _rule(self) -> "Stricter":
        if self.note == "stumble":
            raise RuntimeError("a plugin's mistake")
        if self.note == "old":
            raise ValueError("not any more")
        return self


@pytest.mark.parametrize("note", ["old", "stumble"])
async def test_a_record_that_breaks_its_types_rules_or_breaks_them_is_invalid_and_hides_no_other(
    workspace: Path, probe: Probe, note: str
) -> None:
    bad = await saved(probe, "bad", note=note, password="x")
    await saved(probe, "good")
    stricter = probe_of(workspace, model=Stricter)
    states = {stored.name: stored.state for stored in await stricter.service.list_configs()}
    assert states == {"bad": "invalid", "good": "ok"}
    with pytest.raises(RecordInvalidError):
        await stricter.service.get_config(str(bad.id))
    stored = await stricter.service.read(str(bad.id))
    mended = Stricter.model_validate(
        {**bad.model_dump(), "note": "new", "password": Secret.sealed(stored.facts["/password"])}
    )
    await stricter.service.update_config(str(bad.id), mended)
    assert (await stricter.clear(bad.id)).password.reveal() == "x"


async def test_a_secret_that_is_unavailable_is_mended_by_sending_it_anew_only(probe: Probe) -> None:
    made = await saved(probe, password="x")
    document = json.loads(probe.path(made).read_bytes())
    edit(probe, made, fields={**document["fields"], "host": "edited"})
    now = await probe.service.get_config(str(made.id))
    assert await probe.state(made.id) == "secret_unavailable"
    with pytest.raises(SecretUnavailableError):
        await update(probe, now, note="only this")
    await update(probe, now, password=Secret("new"))
    assert await probe.state(made.id) == "ok"
    assert (await probe.clear(made.id)).password.reveal() == "new"


async def test_a_record_that_is_too_large_is_refused_and_nothing_changes(probe: Probe) -> None:
    made = await saved(probe, password="x")
    with pytest.raises(RecordTooLargeError):
        await update(probe, made, note="x" * 65536)
    with pytest.raises(RecordTooLargeError):
        await saved(probe, "large", password="x" * 65536)
    assert [stored.revision for stored in await probe.service.list_configs()] == [1]


async def test_what_is_nested_too_deep_to_be_read_again_is_refused_before_it_is_saved(probe: Probe) -> None:
    value: Any = None
    for _ in range(31):
        value = {"deep": value}
    deep = ProbeSource(name="n", host="h").model_copy(update={"options": value})
    with pytest.raises(InputError):
        await probe.service.save_config(deep)
    assert await probe.service.list_configs() == []


async def test_health_is_that_of_the_present_revision_only(probe: Probe) -> None:
    made = await saved(probe)
    await probe.service.add_result(str(made.id), 1, result())
    assert (await probe.service.read(str(made.id))).health == {
        "status": "passed",
        "checked_at": "2026-11-23T08:15:00.120Z",
        "revision": 1,
        "duration_ms": 1.5,
    }
    await update(probe, made, note="new")
    assert (await probe.service.read(str(made.id))).health is None
    assert (await probe.service.results(str(made.id)))[0]["revision"] == 1


@pytest.mark.parametrize("state", ["ok", "corrupt", "newer_format", "invalid", "secret_unavailable", "unreadable"])
async def test_whatever_state_one_record_is_in_the_list_shows_it_and_all_others(probe: Probe, state: str) -> None:
    made = await saved(probe, "one", password="x")
    await saved(probe, "other", password="x")
    fields = json.loads(probe.path(made).read_bytes())["fields"]
    if state == "corrupt":
        probe.path(made).write_bytes(b"\0" * 100)
    elif state == "unreadable":
        probe.path(made).unlink()
        os.mkfifo(probe.path(made))
    elif state != "ok":
        members = {"newer_format": {"wellhead_format": 2}, "invalid": {"labels": {"": ""}}}
        edit(probe, made, **members.get(state, {"fields": {**fields, "host": "edited"}}))
    listed = {stored.id: stored.state for stored in await probe.service.list_configs()}
    assert listed[str(made.id)] == state == await probe.state(made.id)
    assert sorted(listed.values()) == sorted([state, "ok"])


FIELDS = st.fixed_dictionaries(
    {"host": st.text(st.characters(exclude_categories=["C"]), max_size=20)},
    optional={
        "ratio": st.floats(allow_nan=False, allow_infinity=False),
        "options": st.dictionaries(
            st.sampled_from("ab/~"), st.integers(-(2**53) + 1, 2**53 - 1) | st.none() | st.floats(-9, 9)
        ),
        "note": st.none() | st.text(st.characters(exclude_categories=["C"]), max_size=20),
        "password": st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=200),
        "tokens": st.dictionaries(st.sampled_from(["a", "/", "~1", "é"]), st.sampled_from(["x", "yy"])),
    },
)


@given(FIELDS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_is_saved_is_read_again(probe: Probe, fields: dict[str, Any]) -> None:
    config = ProbeSource(name="n", **fields)
    made = await probe.service.save_config(config)
    try:
        stored = await probe.service.read(str(made.id))
        assert stored.state == "ok"
        clear = await probe.service.reveal(stored)
        server_made = {"id", "created_at", "updated_at", "revision"}
        assert clear.model_dump(exclude=server_made) == config.model_dump(exclude=server_made)
        assert (await probe.service.update_config(str(made.id), made)).revision == 1
    finally:
        await probe.service.delete_config(str(made.id))


async def test_every_error_of_a_conflict_has_the_code_of_its_state() -> None:
    codes = {kind.code for kind in ConflictError.__subclasses__()}
    assert {"type_unavailable", "record_corrupt", "record_unreadable", "newer_format", "secret_unavailable"} <= codes


async def test_what_did_not_change_is_opened_once(probe: Probe) -> None:
    made = await saved(probe)
    one = await probe.service.read(str(made.id))
    assert await probe.service.read(str(made.id)) is one
    assert list(await probe.service.list_configs()) == [one]
    edit(probe, made, name="edited")
    assert (await probe.service.read(str(made.id))).name == "edited"


async def test_a_configuration_that_somebody_changes_in_memory_is_not_what_others_read(probe: Probe) -> None:
    made = await saved(probe, labels={"team": "sales"})
    (await probe.service.get_config(str(made.id))).labels["team"] = "changed"
    (await probe.service.read(str(made.id))).as_document()["labels"]["team"] = "changed"
    assert (await probe.service.get_config(str(made.id))).labels == {"team": "sales"}


async def test_secrets_are_there_again_with_their_key_ring(probe: Probe, canary: Canary, tmp_path: Path) -> None:
    made = await saved(probe, password=Secret(canary.secret()))
    ring = tmp_path / "config" / "keys.json"
    states = [await probe.state(made.id)]
    ring.rename(tmp_path / "away.json")
    states.append(await probe.state(made.id))
    (tmp_path / "away.json").rename(ring)
    states.append(await probe.state(made.id))
    assert states == ["ok", "secret_unavailable", "ok"]
