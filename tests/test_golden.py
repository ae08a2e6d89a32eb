"""Files of every released format, kept as they were written then: each is read for ever, and written for ever.

`golden/format-1` was written by version 0.1: a record without secrets, one with all kinds of them and two former
revisions, and one as a newer minor version would write it. The key ring and the secrets are of this test only.
"""

import json
import shutil
from pathlib import Path
from typing import Any, Literal

import pydantic
import pytest

import wellhead
from support.probe import Probe, probe_of
from wellhead import Secret

pytestmark = pytest.mark.anyio
GOLDEN = Path(__file__).parent / "golden"
FORMATS = sorted(path.name for path in GOLDEN.iterdir())
PLAIN = "1c9f7b52-6a4e-4d0e-9a53-2f8e5d1c7a01"
FULL = "1c9f7b52-6a4e-4d0e-9a53-2f8e5d1c7a02"
NEWER_MINOR = "1c9f7b52-6a4e-4d0e-9a53-2f8e5d1c7a03"


class Proxy(pydantic.BaseModel):
    """A nested model with a secret."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    url: str
    token: wellhead.Secret | None = None


class GoldenSource(wellhead.DataSourceConfig):
    """The type of the golden files. It never changes: the files would not fit it any more."""

    type: Literal["probe"] = "probe"
    host: str
    ratio: float = 1.0
    options: dict[str, Any] = wellhead.field(default_factory=dict)
    note: str | None = wellhead.field(None, harmless=True)
    password: wellhead.Secret | None = None
    tokens: dict[str, wellhead.Secret] = wellhead.field(default_factory=dict)
    proxy: Proxy | None = None


class Credentials(pydantic.BaseModel):
    """Where the grown type has its secrets."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    password: wellhead.Secret | None = None
    tokens: dict[str, wellhead.Secret] = wellhead.field(default_factory=dict)


class GrownSource(wellhead.DataSourceConfig):
    """What the type of the golden files has become: other names, secrets in other places, and a new field."""

    type: Literal["probe"] = "probe"
    address: str
    ratio: float = 1.0
    options: dict[str, Any] = wellhead.field(default_factory=dict)
    remark: str | None = wellhead.field(None, harmless=True)
    retries: int = 3
    login: Credentials
    proxy: Proxy | None = None


def to_second(fields: dict[str, Any]) -> dict[str, Any]:
    """Rename two fields."""
    fields["address"], fields["remark"] = fields.pop("host"), fields.pop("note")
    return fields


def to_third(fields: dict[str, Any]) -> dict[str, Any]:
    """Put the secrets into a model of their own."""
    login = {name: fields.pop(name) for name in ("password", "tokens") if name in fields}
    return {**fields, "login": login}


GROWN = wellhead.DataSourceType(GrownSource, schema_version=3, migrations={1: to_second, 2: to_third})


@pytest.fixture(params=FORMATS)
def probe(request: pytest.FixtureRequest, workspace: Path, tmp_path: Path) -> Probe:
    """A workspace that an earlier version wrote."""
    restore(GOLDEN / request.param, workspace, tmp_path / "keys.json")
    return probe_of(workspace, model=GoldenSource, key_file=tmp_path / "keys.json")


@pytest.fixture(params=FORMATS)
def grown(request: pytest.FixtureRequest, workspace: Path, tmp_path: Path) -> Probe:
    """A workspace that an earlier version wrote, with the type as it has grown."""
    restore(GOLDEN / request.param, workspace, tmp_path / "keys.json")
    return probe_of(workspace, extension=GROWN, key_file=tmp_path / "keys.json")


def restore(source: Path, workspace: Path, keys: Path) -> None:
    """Put golden files where a version of today looks for them."""
    store = workspace / ".datasources"
    shutil.copytree(source / "store", store)
    shutil.copy(source / "keys.json", keys)
    store.chmod(0o700)  # git keeps no modes
    for path in (keys, *store.iterdir()):
        path.chmod(0o600)


def content_of(probe: Probe) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in probe.directory.iterdir() if not path.name.startswith(".")}


def clear_fields(config: Any) -> dict[str, Any]:
    """Return the fields of a data source with its secrets in clear."""
    found = config.model_dump(exclude={"id", "created_at", "updated_at", "revision", "type"})

    def shown(value: Any) -> Any:
        if isinstance(value, Secret):
            return value.reveal() if value.is_clear else f"ref {value.reference}"
        return {name: shown(inner) for name, inner in value.items()} if isinstance(value, dict) else value

    return {name: shown(value) for name, value in found.items()}


WHOLE: dict[str, dict[str, Any]] = {
    PLAIN: {
        "name": "Straße",
        "description": None,
        "labels": {},
        "host": "plain.example.com",
        "ratio": 1.0,
        "options": {},
        "note": None,
        "password": None,
        "tokens": {},
        "proxy": None,
    },
    FULL: {
        "name": "full",
        "description": "Two\nlines.",
        "labels": {"team": "sälés", "a/b": ""},
        "host": "db.example.com",
        "ratio": 0.1,
        "options": {"nested": {"list": [1, 2.5, None, True, "é"]}},
        "note": "third",
        "password": "golden password 2",
        "tokens": {"a/b~c": "golden token", "ref": "ref env:GOLDEN"},
        "proxy": {"url": "https://proxy.example.com", "token": "golden proxy token"},
    },
    NEWER_MINOR: {
        "name": "newer minor",
        "description": None,
        "labels": {},
        "host": "later.example.com",
        "ratio": 1.0,
        "options": {},
        "note": None,
        "password": "golden later password",
        "tokens": {},
        "proxy": None,
    },
}
FIRST = {**WHOLE[FULL], "host": "first.example.com", "note": "first", "password": "golden password 1"}


async def test_D_24_every_field_and_secret_of_every_released_format_is_read(probe: Probe) -> None:
    before = content_of(probe)
    found = {stored.id: stored for stored in await probe.service.list_configs()}
    assert {source_id: stored.state for source_id, stored in found.items()} == dict.fromkeys(WHOLE, "ok")
    for source_id, fields in WHOLE.items():
        assert clear_fields(await probe.clear(source_id)) == fields
    assert content_of(probe) == before


async def test_D_24_the_facts_and_the_health_of_every_released_format_are_read(probe: Probe) -> None:
    stored = await probe.service.read(FULL)
    document = stored.as_document()
    assert (document["revision"], document["created_at"]) == (3, "2026-11-23T08:00:00.000Z")
    assert document["password"] == {"is_set": True, "set_at": "2026-11-23T08:15:00.120Z", "set_in_revision": 2}
    assert document["tokens"]["ref"]["ref"] == "env:GOLDEN"
    assert document["health"] == {
        "status": "passed",
        "checked_at": "2026-11-23T09:00:00.000Z",
        "revision": 3,
        "duration_ms": 12.5,
    }


async def test_D_24_the_history_of_every_released_format_is_read_and_restored(probe: Probe) -> None:
    items = [found.as_document() for found in await probe.service.history(FULL)]
    every_secret = ["password", "proxy", "tokens"]  # another host needs all of them anew
    assert items == [
        {"revision": 2, "at": "2026-11-23T08:30:00.000Z", "by": "alice", "changed": ["note"]},
        {"revision": 1, "at": "2026-11-23T08:15:00.120Z", "by": "alice", "changed": ["host", "note", *every_secret]},
    ]
    await probe.service.rollback(FULL, 1)
    assert clear_fields(await probe.clear(FULL)) == FIRST


async def test_D_24_a_record_of_every_released_format_is_written_anew_only_by_a_change(probe: Probe) -> None:
    before = content_of(probe)
    config: Any = await probe.service.get_config(FULL)
    assert (await probe.service.update_config(FULL, config)).revision == 3
    assert content_of(probe) == before
    await probe.service.update_config(FULL, config.model_copy(update={"note": "fourth"}))
    assert clear_fields(await probe.clear(FULL)) == {**WHOLE[FULL], "note": "fourth"}
    assert [found.record.revision for found in await probe.service.history(FULL)] == [3, 2, 1]
    changed = {name for name, content in content_of(probe).items() if before[name] != content}
    assert changed == {f"{FULL}.json", f"{FULL}.history.jsonl"}


async def test_D_25_what_a_newer_minor_version_added_survives_a_change_and_a_rollback(probe: Probe) -> None:
    added = {"later": {"a": [1, None]}, "another": "x"}
    config: Any = await probe.service.get_config(NEWER_MINOR)
    await probe.service.update_config(NEWER_MINOR, config.model_copy(update={"note": "new"}))
    await probe.service.rollback(NEWER_MINOR, 1)
    for document in (
        json.loads((probe.directory / f"{NEWER_MINOR}.json").read_bytes()),
        *map(json.loads, (probe.directory / f"{NEWER_MINOR}.history.jsonl").read_bytes().splitlines()),
    ):
        assert {name: document[name] for name in added} == added
    assert clear_fields(await probe.clear(NEWER_MINOR)) == WHOLE[NEWER_MINOR]


async def test_D_26_a_version_that_knows_more_members_reads_what_this_one_wrote(probe: Probe) -> None:
    """A downgrade and an upgrade later, nothing of the record is gone: all but what was changed is as it was."""
    path = probe.directory / f"{NEWER_MINOR}.json"
    before = json.loads(path.read_bytes())
    config: Any = await probe.service.get_config(NEWER_MINOR)
    await probe.service.update_config(NEWER_MINOR, config.model_copy(update={"note": "new"}))
    after = json.loads(path.read_bytes())
    new = {"revision", "updated_at", "written_by", "fields", "secrets", "encryption"}
    assert {name: value for name, value in after.items() if name not in new} == {
        name: value for name, value in before.items() if name not in new
    }
    assert after["fields"] == {**before["fields"], "note": "new"}


def as_grown(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a golden file as the grown type has them."""
    kept = {name: value for name, value in fields.items() if name not in {"host", "note", "password", "tokens"}}
    login = {"password": fields["password"], "tokens": fields["tokens"]}
    return {**kept, "address": fields["host"], "remark": fields["note"], "retries": 3, "login": login}


async def test_D_24_every_record_of_an_old_schema_is_read_with_its_secrets(grown: Probe) -> None:
    before = content_of(grown)
    for source_id, fields in WHOLE.items():
        assert clear_fields(await grown.clear(source_id)) == as_grown(fields)
    assert content_of(grown) == before


async def test_D_24_every_record_of_an_old_schema_is_rewritten_with_a_backup_and_its_history_restored(
    grown: Probe,
) -> None:
    before = content_of(grown)
    for source_id, fields in WHOLE.items():
        assert (await grown.service.migrate(source_id)).status == "migrated"
        assert clear_fields(await grown.clear(source_id)) == as_grown(fields)
        assert (grown.directory / f"{source_id}.backup.json").read_bytes() == before[f"{source_id}.json"]
    assert json.loads((grown.directory / f"{NEWER_MINOR}.json").read_bytes())["later"] == {"a": [1, None]}
    await grown.service.rollback(FULL, 1)
    assert clear_fields(await grown.clear(FULL)) == as_grown(FIRST)
