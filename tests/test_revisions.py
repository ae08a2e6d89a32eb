"""Former revisions: what a line of a history is read as, and how two states differ."""

import json
from dataclasses import replace
from typing import Any

import pytest

from support.types import SET_AT, SOURCE_ID
from wellhead.model.secret import SecretFacts
from wellhead.storage.records import Record, SealedSecret
from wellhead.storage.revisions import Revision, changed_fields, read_revision, revisions_of, without_values

WHEN = "2026-11-23T08:15:00.120Z"
SEALED = SealedSecret(SecretFacts(SET_AT, 1), "box")


def record(**changes: Any) -> Record:
    base = Record(SOURCE_ID, "probe", "warehouse", None, {}, WHEN, WHEN, 1, {"host": "h", "port": 1})
    return replace(base, **changes)


def revision(**changes: Any) -> Revision:
    return Revision(record(**changes), WHEN, "alice", ("host",))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"description": "two\nlines \u2028 and one more", "labels": {"team": "sälés"}},
        {"secrets": {"/password": SEALED}, "bound": ("host",), "key_id": "k1"},
        {"extra": {"later": {"a": [1, None]}}},
    ],
)
def test_a_revision_is_one_line_and_is_read_as_it_was_written(changes: dict[str, Any]) -> None:
    made = revision(**changes)
    line = made.encode()
    assert b"\n" not in line
    assert read_revision(line, SOURCE_ID) == made


def test_a_record_that_is_nested_as_deep_as_may_be_fits_into_a_line() -> None:
    value: Any = None
    for _ in range(30):
        value = {"deep": value}
    made = revision(fields={"options": value})
    assert read_revision(made.encode(), SOURCE_ID) == made


def test_D_25_what_a_newer_version_added_to_a_line_is_written_again() -> None:
    document = json.loads(revision().encode())
    document["later"] = 1
    document["superseded"]["why"] = "because"
    read = read_revision(json.dumps(document).encode(), SOURCE_ID)
    assert read is not None
    assert json.loads(read.encode()) == document


LINE = revision().encode()


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        bytes(50),
        b"null",
        json.dumps({"superseded": 1}).encode(),
        LINE.replace(b'"host"]', b"1]"),
        LINE.replace(b'"alice"', b"1"),
        LINE.replace(b'{"at":"2026', b'{"at":"x'),
        LINE.replace(b'"changed":["host"]', b'"changed":{}'),
        LINE.replace(SOURCE_ID.encode(), b"00000000-0000-4000-8000-000000000000"),
        LINE.replace(b'"wellhead_format":1', b'"wellhead_format":2'),
        LINE.replace(b'"revision":1', b'"revision":0'),
    ],
)
def test_D_22_S_07_a_line_that_is_no_revision_of_the_record_is_passed_over(line: bytes) -> None:
    assert line != LINE
    assert read_revision(line, SOURCE_ID) is None
    assert revisions_of([line, LINE], SOURCE_ID) == [revision()]


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, ()),
        ({"revision": 2, "updated_at": "2027-01-01T00:00:00.000Z"}, ()),
        ({"name": "n", "description": "d", "labels": {"a": "b"}}, ("description", "labels", "name")),
        ({"fields": {"host": "h", "port": True}}, ("port",)),
        ({"fields": {"host": "h"}}, ("port",)),
        ({"fields": {"host": "h", "port": 1, "new": None}}, ("new",)),
        ({"secrets": {"/password": SEALED, "/tokens/a~1b": SEALED, "/tokens/c": SEALED}}, ("password", "tokens")),
    ],
)
def test_changed_fields_are_named_whichever_way_they_changed(changes: dict[str, Any], names: tuple[str, ...]) -> None:
    assert changed_fields(record(), record(**changes)) == names
    assert changed_fields(record(**changes), record()) == names


def test_a_secret_that_was_set_anew_is_named_and_one_that_was_sealed_again_is_not() -> None:
    before = record(secrets={"/password": SEALED})
    again = record(secrets={"/password": replace(SEALED, box="another box")})
    anew = record(secrets={"/password": SealedSecret(SecretFacts(SET_AT, 2), "box")})
    assert changed_fields(before, again) == ()
    assert changed_fields(before, anew) == ("password",)


def test_a_purged_revision_keeps_facts_and_references_and_needs_its_key_only_for_those() -> None:
    reference = SealedSecret(SecretFacts(SET_AT, 1, "env:PG_PASSWORD"), "boxed reference")
    both = revision(secrets={"/password": SEALED, "/token": reference}, key_id="k1")
    purged = without_values(both)
    assert (both.is_purged, purged.is_purged) == (False, True)
    assert purged.record.secrets == {"/password": replace(SEALED, box=""), "/token": reference}
    assert purged.record.key_id == "k1"
    assert without_values(revision(secrets={"/password": SEALED}, key_id="k1")).record.key_id is None
    assert read_revision(purged.encode(), SOURCE_ID) == purged
    assert without_values(revision()) == revision()
