"""Which changes of a model break what is stored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

import wellhead
from wellhead.plugins.registry import RegisteredType, describe
from wellhead.testing.kit import schema_changes
from wellhead.testing.kit.subject import Subject
from wellhead.testing.kit.target import Target


class NowDataSource(wellhead.DataSourceConfig):
    """A type as it is now."""

    type: Literal["now"] = "now"
    host: str = wellhead.field(description="Where it is.")
    mode: Literal["a", "b"] = wellhead.field("a", description="How it works.")
    note: str | None = wellhead.field(None, description="What to know of it.", harmless=True)
    password: wellhead.Secret | None = wellhead.field(None, description="Its password.")


Fields = dict[str, Any]
NOW = describe(wellhead.DataSourceType(NowDataSource))


def changes(known: RegisteredType = NOW, **former: Any) -> list[str]:
    """Compare a type with what it was: as it is now, but for some fields, or without them where they are None."""
    snapshot = schema_changes.snapshot_of([known])
    snapshot["now"]["schema_version"] = 1
    fields = snapshot["now"]["fields"]
    template = fields["host"]
    for name, facts in former.items():
        fields[name] = None if facts is None else {**(fields.get(name) or template), **facts}
    snapshot["now"]["fields"] = {name: facts for name, facts in fields.items() if facts is not None}
    target = Target("wellhead-now", "1", ())
    subject = Subject(target, (known,), {}, frozenset(), Path(), before=snapshot)
    return [finding.message for finding in schema_changes.check_changes(subject)]


@pytest.mark.parametrize(
    ("former", "message"),
    [
        ({"port": {}}, "now.port is gone"),
        ({"host": None}, "now.host is new, and required"),
        ({"host": {"required": False}}, "now.host was not required, and is"),
        ({"host": {"type": "integer"}}, "now.host was of type integer, and is of type string"),
        ({"host": {"secret": True, "bound": False}}, "now.host was secret, and is not"),
        ({"password": {"secret": False, "bound": True}}, "now.password was not secret, and is"),
        ({"note": {"bound": True}}, "now.note had a say in where secrets go, and is harmless"),
        ({"mode": {"values": ["a", "b", "c"]}}, "now.mode no longer takes c"),
    ],
)
def test_a_change_that_breaks_what_is_stored_needs_another_schema_version(former: Any, message: str) -> None:
    assert changes(**former) == [f"{message}, and schema_version is the same."]


@pytest.mark.parametrize(
    "former",
    [{}, {"mode": None}, {"note": None}, {"host": {"required": True}}, {"mode": {"values": ["a"]}}, {"note": {}}],
)
def test_what_is_new_and_optional_breaks_nothing(former: Any) -> None:
    assert changes(**former) == []


def test_a_type_that_is_gone_is_told() -> None:
    subject = Subject(
        Target("wellhead-now", "1", ()), (), {}, frozenset(), Path(), before=schema_changes.snapshot_of([NOW])
    )
    assert "Type 'now' is gone" in next(iter(schema_changes.check_changes(subject))).message


def test_a_damaged_snapshot_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "schema-snapshot.json").write_text("{")
    subject = Subject(Target("wellhead-now", "1", (), project=str(tmp_path)), (NOW,), {}, frozenset(), Path())
    assert "is no JSON" in next(iter(schema_changes.check_changes(subject))).message


def migrating(migration: Callable[[Fields], Any]) -> RegisteredType:
    """Return the type in its second version, with a migration."""
    return describe(wellhead.DataSourceType(NowDataSource, schema_version=2, migrations={1: migration}))


def rename(fields: Fields) -> Fields:
    return {**{name: value for name, value in fields.items() if name != "server"}, "host": fields["server"]}


def move(fields: Fields) -> Fields:
    return {**{name: value for name, value in fields.items() if name != "key"}, "password": fields["key"]}


def bare(fields: Fields) -> Fields:
    note = fields.pop("password")
    return {**fields, "note": note}


GONE = {"bound": True, "secret": False}
SERVER = {"host": None, "server": GONE}
KEY = {"password": None, "key": {"secret": True, "bound": False}}
MODES = {"mode": {"values": ["a", "b", "c"]}}


@pytest.mark.parametrize(
    ("migration", "former"),
    [
        (rename, SERVER),
        (move, KEY),
        (lambda fields: {**fields, "host": str(fields["host"])}, {"host": {"type": "integer"}}),
        (lambda fields: {**fields, "mode": "b" if fields["mode"] == "c" else fields["mode"]}, MODES),
    ],
)
def test_a_migration_that_works_is_enough(migration: Callable[[Fields], Any], former: Any) -> None:
    assert changes(migrating(migration), **former) == []


@pytest.mark.parametrize(
    ("migration", "former", "message"),
    [
        (dict, SERVER, "does not fit the model. They are: host, server."),
        (lambda fields: fields["no"], SERVER, "from schema version 1 to 2 raised KeyError"),
        (lambda _: None, SERVER, "returned something that is no dictionary"),
        (lambda fields: {**fields, "note": fields["password"]}, {}, "one stored secret in two places"),
        (bare, {}, "put a stored secret where the type has none"),
        (dict, MODES, "and mode 'c': Its migrations make something of it that does not fit"),
        (dict, {"host": {"secret": True, "bound": False}}, "now.host was secret, and is not."),
        (lambda fields: {**fields, "host": "known"}, {"host": {"secret": True}}, "now.host was secret, and is not."),
        (dict, {"password": {"secret": False, "bound": True}}, "They are: password."),
    ],
)
def test_a_migration_that_does_not_work_is_told(migration: Callable[[Fields], Any], former: Any, message: str) -> None:
    [told] = changes(migrating(migration), **former)
    assert message in told
