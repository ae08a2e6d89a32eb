"""Records of an older schema: read as their type is now, saved so, and never harmed by a migration that fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wellhead
from support.canary import Canary
from support.probe import Probe, probe_of
from support.types import FACTS, SOURCE_ID
from support.versions import FIRST, SECOND, THIRD, Fields, FirstSource, SecondSource, second_with, to_second
from wellhead import Secret
from wellhead.errors import ConflictError, InputError, NewerFormatError, RecordInvalidError
from wellhead.plugins.registry import describe
from wellhead.storage.conflicts import conflict_of
from wellhead.storage.migration import MigrationFailedError, migrated
from wellhead.storage.records import Record, SealedSecret
from wellhead.storage.selection import Selection

pytestmark = pytest.mark.anyio


@pytest.fixture
async def old(workspace: Path, canary: Canary) -> tuple[str, dict[str, str]]:
    """A data source of the first version; its id, and the values of its secrets."""
    values = {name: canary.secret() for name in ("password", "token", "legacy_key")}
    probe = probe_of(workspace, extension=FIRST)
    made = await probe.service.save_config(
        FirstSource(
            name="warehouse",
            hostname="db.test",
            timeout_ms=2500,
            password=Secret(values["password"]),
            tokens={"a/b": Secret(values["token"]), "ref": Secret.from_reference("env:TOKEN")},
            legacy_key=Secret(values["legacy_key"]),
        )
    )
    return str(made.id), values


def content_of(probe: Probe) -> dict[str, bytes]:
    """Return the files of a store but for those that are derived or empty."""
    return {path.name: path.read_bytes() for path in probe.directory.iterdir() if not path.name.startswith(".")}


def stored_of(probe: Probe, source_id: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((probe.directory / f"{source_id}.json").read_bytes())
    return document


async def test_a_record_of_an_older_schema_is_read_as_its_type_is_now(
    workspace: Path, old: tuple[str, dict[str, str]]
) -> None:
    probe = probe_of(workspace, extension=THIRD)
    before = content_of(probe)
    stored = await probe.service.read(old[0])
    document = stored.as_document()
    assert (stored.state, stored.revision) == ("ok", 1)
    assert (document["host"], document["port"], document["timeout"]) == ("db.test", 443, 2.5)
    assert document["login"]["passphrase"]["is_set"]
    assert document["headers"]["ref"]["ref"] == "env:TOKEN"
    assert not {"hostname", "timeout_ms", "password", "tokens", "legacy_key"} & document.keys()
    clear = await probe.service.reveal(stored)
    assert clear.login.passphrase.reveal() == old[1]["password"]  # type: ignore[attr-defined]  # of the third version
    assert clear.headers["a/b"].reveal() == old[1]["token"]  # type: ignore[attr-defined]
    assert content_of(probe) == before


async def test_a_list_shows_the_migrated_form_and_notices_a_new_schema(
    workspace: Path, old: tuple[str, dict[str, str]]
) -> None:
    for extension, field in ((FIRST, "hostname"), (SECOND, "host"), (THIRD, "timeout"), (FIRST, "hostname")):
        probe = probe_of(workspace, extension=extension)
        chosen = await probe.service.choose(Selection())
        assert chosen is not None
        [item] = [json.loads(text) for text in chosen.items]
        assert (item["state"], field in item) == ("ok", True)
        assert item == (await probe.service.read(old[0])).as_document()
        shown = await probe.service.show(old[0])
        assert shown is None or json.loads(shown.item) == item


async def test_a_new_migration_alone_is_noticed_by_the_index(workspace: Path, old: tuple[str, dict[str, str]]) -> None:
    """The model, its module and the version of the distribution are the same: only the schema's version differs."""
    again = wellhead.DataSourceType(SecondSource, schema_version=3, migrations={1: to_second, 2: with_timeout})
    for extension, timeout in ((SECOND, 2500), (again, 7)):
        chosen = await probe_of(workspace, extension=extension).service.choose(Selection())
        assert chosen is not None
        assert [json.loads(text)["timeout_ms"] for text in chosen.items] == [timeout]


def with_timeout(fields: Fields) -> Fields:
    return {**fields, "timeout_ms": 7}


async def test_a_save_writes_the_new_schema_with_the_secrets_bound_to_it(
    workspace: Path, old: tuple[str, dict[str, str]]
) -> None:
    source_id, values = old
    probe = probe_of(workspace, extension=THIRD)
    facts = stored_of(probe, source_id)["secrets"]["/password"]
    config: Any = await probe.service.get_config(source_id)
    await probe.service.update_config(source_id, config.model_copy(update={"timeout": 9.0}))
    record = stored_of(probe, source_id)
    assert (record["revision"], record["written_by"]["schema_version"]) == (2, 3)
    assert record["bound"] == ["headers", "host", "login", "port"]
    assert record["fields"] == {"host": "db.test", "port": 443, "timeout": 9, "login": {}, "headers": {}}
    assert record["secrets"].keys() == {"/login/passphrase", "/headers/a~1b", "/headers/ref"}
    kept = record["secrets"]["/login/passphrase"]
    assert {**kept, "box": None} == {**facts, "box": None}
    assert kept["box"] != facts["box"]
    clear = await probe_of(workspace, extension=THIRD).clear(source_id)
    assert clear.login.passphrase.reveal() == values["password"]
    record["fields"]["host"] = "evil.test"
    (probe.directory / f"{source_id}.json").write_text(json.dumps(record))
    assert await probe.state(source_id) == "secret_unavailable"


async def test_what_a_migration_changes_is_no_change_of_the_users(
    workspace: Path, old: tuple[str, dict[str, str]]
) -> None:
    probe = probe_of(workspace, extension=THIRD)
    before = content_of(probe)
    config: Any = await probe.service.get_config(old[0])
    assert (await probe.service.update(old[0], config)).revision == 1
    assert content_of(probe) == before
    with pytest.raises(InputError) as caught:
        await probe.service.update(old[0], config.model_copy(update={"host": "evil.test"}))
    assert {(problem.pointer, problem.code) for problem in caught.value.problems} == {
        (pointer, "secret_required") for pointer in ("/login/passphrase", "/headers/a~1b", "/headers/ref")
    }
    await probe.service.update(old[0], config.model_copy(update={"timeout": 3.0}))
    [revision] = await probe.service.history(old[0])
    assert revision.changed == ("timeout",)


async def test_a_stored_field_that_was_edited_does_not_open_the_secrets_after_a_migration(
    workspace: Path, old: tuple[str, dict[str, str]]
) -> None:
    probe = probe_of(workspace, extension=THIRD)
    record = stored_of(probe, old[0])
    record["fields"]["hostname"] = "evil.test"
    (probe.directory / f"{old[0]}.json").write_text(json.dumps(record))
    stored = await probe.service.read(old[0])
    assert stored.state == "secret_unavailable"
    with pytest.raises(ConflictError):
        await probe.service.reveal(stored)
    config: Any = stored.config
    with pytest.raises(ConflictError):
        await probe.service.update(old[0], config.model_copy(update={"timeout": 3.0}))


async def test_a_former_revision_of_an_older_schema_is_restored_in_the_new_one(
    workspace: Path, old: tuple[str, dict[str, str]]
) -> None:
    source_id, values = old
    probe = probe_of(workspace, extension=FIRST)
    config: Any = await probe.service.get_config(source_id)
    new = {"hostname": "other.test", "password": Secret("2"), "tokens": {}, "legacy_key": None}
    await probe.service.update_config(source_id, config.model_copy(update=new))
    probe = probe_of(workspace, extension=THIRD)
    restored = await probe.service.rollback(source_id, 1)
    assert (restored.revision, restored.as_document()["host"]) == (3, "db.test")
    clear = await probe.clear(source_id)
    assert clear.login.passphrase.reveal() == values["password"]
    assert clear.headers["a/b"].reveal() == values["token"]
    assert stored_of(probe, source_id)["written_by"]["schema_version"] == 3


async def test_a_revision_that_only_migrations_tell_from_what_is_stored_is_not_restored(
    workspace: Path, old: tuple[str, dict[str, str]]
) -> None:
    probe = probe_of(workspace, extension=SECOND)
    config: Any = await probe.service.get_config(old[0])
    await probe.service.update(old[0], config.model_copy(update={"timeout_ms": 1}))
    await probe.service.update(old[0], config.model_copy(update={"timeout_ms": 2500}))
    assert (await probe.service.rollback(old[0], 1)).revision == 3


async def test_a_record_newer_than_its_plugin_is_shown_and_left_alone(
    workspace: Path, old: tuple[str, dict[str, str]]
) -> None:
    source_id = old[0]
    newer = probe_of(workspace, extension=SECOND)
    config: Any = await newer.service.get_config(source_id)
    await newer.service.update(source_id, config.model_copy(update={"timeout_ms": 1}))
    probe = probe_of(workspace, extension=FIRST)
    before = content_of(probe)
    stored = await probe.service.read(source_id)
    shown = stored.as_document()
    assert (stored.state, stored.config, shown["name"], shown["host"]) == ("newer_format", None, "warehouse", "db.test")
    assert shown["passphrase"]["is_set"]
    chosen = await probe.service.choose(Selection(states=("newer_format",)))
    assert chosen is not None
    assert chosen.total == 1
    for refused in (
        probe.service.update(source_id, FirstSource(name="warehouse", hostname="x")),
        probe.service.rollback(source_id, 1),
        probe.service.purge_history(source_id),
        probe.service.get_config(source_id),
        probe.service.reveal(stored),
    ):
        with pytest.raises(NewerFormatError):
            await refused
    assert content_of(probe) == before
    assert (await probe_of(workspace, extension=SECOND).clear(source_id)).passphrase.reveal() == old[1]["password"]
    await probe.service.delete_config(source_id)
    assert content_of(probe).keys() == {"workspace.json"}


async def test_a_former_revision_that_is_newer_than_the_plugin_is_not_restored(
    workspace: Path, old: tuple[str, dict[str, str]]
) -> None:
    newer = probe_of(workspace, extension=SECOND)
    config: Any = await newer.service.get_config(old[0])
    record = (newer.directory / f"{old[0]}.json").read_bytes()
    for timeout in (1, 2):
        await newer.service.update(old[0], config.model_copy(update={"timeout_ms": timeout}))
    document = {**json.loads(record), "revision": 9}  # the old record was put back
    (newer.directory / f"{old[0]}.json").write_text(json.dumps(document))
    probe = probe_of(workspace, extension=FIRST)
    assert await probe.state(old[0]) == "ok"
    with pytest.raises(NewerFormatError):
        await probe.service.rollback(old[0], 2)


def raises(_fields: Fields) -> Fields:
    raise ValueError("the text of an exception")


def leaves(_fields: Fields) -> Fields:
    raise SystemExit(1)


def misses(fields: Fields) -> Fields:
    del fields["nothing"]
    return fields


def swallows_itself(fields: Fields) -> Fields:
    endless: Fields = {"host": fields["hostname"]}
    endless["self"] = endless
    return endless


def without_host(fields: Fields) -> Fields:
    return {name: value for name, value in to_second(fields).items() if name != "host"}


RUBBISH: dict[str, tuple[Callable[[Fields], Any], str]] = {
    "raises": (raises, "Its migration from schema version 1 to 2 raised ValueError."),
    "key error": (misses, "raised KeyError."),
    "exits": (leaves, "raised SystemExit."),
    "endless": (swallows_itself, "raised RecursionError."),
    "nothing": (lambda _: None, "returned something that is no dictionary"),
    "a list": (lambda _: [], "returned something that is no dictionary"),
    "not JSON": (lambda fields: {**fields, "host": object()}, "returned what JSON cannot hold"),
    "bytes": (lambda fields: {**fields, "host": b"x"}, "returned what JSON cannot hold"),
    "NaN": (lambda fields: {**fields, "host": float("nan")}, "returned what JSON cannot hold"),
    "surrogate": (lambda fields: {**fields, "host": "\ud800"}, "returned what JSON cannot hold"),
    "a number as name": (lambda fields: {**fields, 1: "x"}, "returned a name that is no string"),
    "secret in a list": (lambda fields: {**fields, "host": [fields.pop("password")]}, "a stored secret in a list"),
    "secret in an object in a list": (
        lambda fields: {**fields, "host": [{"password": fields.pop("password")}]},
        "a stored secret in a list",
    ),
    "secret twice": (lambda fields: {**fields, "again": fields["password"]}, "one stored secret in two places"),
    "secret that was made": (lambda fields: {**fields, "new": type(fields["password"])()}, "that is not stored"),
    "secret in a plain field": (lambda fields: {"host": fields.pop("password"), **fields}, "where the type has none"),
    "secret in a name": (lambda fields: {**fields, fields["password"]: 1}, "a name that is no string"),
    "a secret's text": (lambda fields: {**to_second(fields), "passphrase": "x"}, "They are: passphrase."),
    "reserved": (lambda fields: {**to_second(fields), "state": "ok"}, "They are: state."),
    "base field": (lambda fields: {**to_second(fields), "name": "other"}, "They are: name."),
    "unknown": (lambda fields: {**to_second(fields), "colour": "red"}, "They are: colour."),
    "missing": (without_host, "They are: host."),
}


@pytest.mark.parametrize(("migration", "said"), RUBBISH.values(), ids=RUBBISH)
async def test_a_migration_that_fails_leaves_its_records_invalid_and_whole(
    workspace: Path, old: tuple[str, dict[str, str]], migration: Callable[[Fields], Any], said: str
) -> None:
    probe = probe_of(workspace, extension=second_with(migration))
    before = content_of(probe)
    stored = await probe.service.read(old[0])
    assert (stored.state, stored.name, stored.config) == ("invalid", "warehouse", None)
    assert said in conflict_of(stored).message
    assert "the text of an exception" not in conflict_of(stored).message
    chosen = await probe.service.choose(Selection())
    assert chosen is not None
    assert [json.loads(item)["state"] for item in chosen.items] == ["invalid"]
    assert content_of(probe) == before
    assert (await probe_of(workspace, extension=SECOND).clear(old[0])).passphrase.reveal() == old[1]["password"]


async def test_what_a_failed_migration_left_is_mended_by_sending_all_anew(
    workspace: Path, old: tuple[str, dict[str, str]]
) -> None:
    probe = probe_of(workspace, extension=second_with(raises))
    with pytest.raises(RecordInvalidError, match=r"raised ValueError\. Go back to the plugin's former version"):
        await probe.service.get_config(old[0])
    mended = await probe.service.update(old[0], SecondSource(name="warehouse", host="db", passphrase=Secret("new")))
    assert (mended.state, stored_of(probe, old[0])["written_by"]["schema_version"]) == ("ok", 2)
    assert (await probe.clear(old[0])).passphrase.reveal() == "new"


async def test_a_migration_cannot_change_what_was_read(workspace: Path, old: tuple[str, dict[str, str]]) -> None:
    """What is read is kept in memory; a migration that changes its fields in place, twice, has them each time anew."""
    probe = probe_of(workspace, extension=SECOND)
    entry = await probe.store.read(old[0])
    assert entry is not None
    assert entry.record is not None
    before = deepcopy(entry.record.as_document())
    for _ in range(2):
        assert await probe.state(old[0]) == "ok"
        migrated(entry.record, describe(SECOND))
    assert entry.record.as_document() == before


def test_x_08_a_migration_is_told_nothing_of_a_secret() -> None:
    seen: list[Any] = []

    def look(fields: Fields) -> Fields:
        seen.append(fields["password"])
        return to_second(fields)

    migrated(record(fields={"hostname": "h"}, secrets=("/password",)), describe(second_with(look)))
    [marker] = seen
    assert repr(marker) == "<a stored secret>"
    assert not hasattr(marker, "__dict__")
    for write in (json.dumps, lambda value: value.__reduce__()):
        with pytest.raises(TypeError):
            write(marker)


class StrictlyPlain(wellhead.DataSourceConfig):
    """What was a secret in `password` is an ordinary field of the second version."""

    type: Literal["probe"] = "probe"
    hostname: str
    timeout_ms: int = 1
    tokens: dict[str, Any] = wellhead.field(default_factory=dict)
    password: Any = None
    legacy_key: Any = None


async def test_x_08_a_secret_is_never_taken_for_a_plain_field(workspace: Path, old: tuple[str, dict[str, str]]) -> None:
    probe = probe_of(workspace, extension=second_with(lambda fields: fields, StrictlyPlain))
    stored = await probe.service.read(old[0])
    assert stored.state == "invalid"
    assert stored.as_document()["password"]["is_set"]


def record(*, fields: Fields, secrets: tuple[str, ...], schema_version: int = 1) -> Record:
    boxes = {pointer: SealedSecret(FACTS, f"box of {pointer}") for pointer in secrets}
    instant = "2026-11-23T08:15:00.120Z"
    return Record(
        SOURCE_ID, "probe", "n", None, {}, instant, instant, 1, fields, secrets=boxes, schema_version=schema_version
    )


NAMES = st.sampled_from(["a", "b", "c", "d/e", "f~g", "é"])


class MappedSource(wellhead.DataSourceConfig):
    """Secrets under any names."""

    type: Literal["probe"] = "probe"
    secrets: dict[str, wellhead.Secret] = wellhead.field(default_factory=dict)


def renaming(before: str, after: str) -> Callable[[Fields], Fields]:
    """Return a migration that renames a secret, and takes the place of what is there."""

    def rename(fields: Fields) -> Fields:
        secrets = fields["secrets"]
        if before in secrets:
            secrets[after] = secrets.pop(before)
        return fields

    return rename


@given(st.sets(NAMES), st.lists(st.tuples(NAMES, NAMES), max_size=6), st.integers(1, 6))
@settings(max_examples=200)
def test_secrets_survive_any_chain_of_renames(names: set[str], renames: list[tuple[str, str]], written_by: int) -> None:
    steps = {version: renaming(*pair) for version, pair in enumerate(renames, start=1)}
    known = describe(wellhead.DataSourceType(MappedSource, schema_version=len(renames) + 1, migrations=steps))
    pointers = {name: "/secrets/" + name.replace("~", "~0").replace("/", "~1") for name in names}
    stored = record(fields={"secrets": {}}, secrets=tuple(pointers.values()), schema_version=written_by)
    expected = {name: f"box of {pointer}" for name, pointer in pointers.items()}
    for before, after in renames[written_by - 1 :]:
        if before in expected:
            expected[after] = expected.pop(before)
    found = migrated(stored, known)
    boxes = {from_secret(pointer): sealed.box for pointer, sealed in found.secrets.items()}
    assert boxes == expected
    for pointer, sealed in found.secrets.items():
        origin, at = found.sealed_at(pointer)
        assert (origin.secrets[at].box, replace(origin, origin=None)) == (sealed.box, stored)


def from_secret(pointer: str) -> str:
    return pointer.removeprefix("/secrets/").replace("~1", "/").replace("~0", "~")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    )
)
@settings(max_examples=200)
def test_whatever_a_migration_returns_is_a_record_or_an_error_of_ours(returned: Any) -> None:
    stored = record(fields={"hostname": "h"}, secrets=("/password",))
    try:
        found = migrated(stored, describe(second_with(lambda _: returned)))
    except MigrationFailedError:
        return
    assert isinstance(returned, dict)
    assert found.encode()
