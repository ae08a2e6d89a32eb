"""Which changes of a model break what is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest

import wellhead
from wellhead.plugins.registry import describe
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


NOW = describe(wellhead.DataSourceType(NowDataSource))


def changes(version: int = 1, **former: Any) -> list[str]:
    """Compare the type with what it was: as it is now, but for some fields, or without them where they are None."""
    snapshot = schema_changes.snapshot_of([NOW])
    snapshot["now"]["schema_version"] = version
    fields = snapshot["now"]["fields"]
    for name, facts in former.items():
        fields[name] = None if facts is None else {**fields.get(name, fields["host"]), **facts}
    snapshot["now"]["fields"] = {name: facts for name, facts in fields.items() if facts is not None}
    target = Target("wellhead-now", "1", ())
    subject = Subject(target, (NOW,), {}, frozenset(), Path(), before=snapshot)
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
    assert changes(0, **former) == []


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
