"""The form of a record."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from support.probe import NO_ID
from wellhead.errors import MalformedJSONError, RecordTooLargeError
from wellhead.model.secret import SecretFacts
from wellhead.storage.record_reading import DamagedRecordError, NewerRecordError, decode
from wellhead.storage.records import Record, SealedSecret, as_stored, indented

FACTS = SecretFacts(datetime(2026, 11, 23, tzinfo=UTC), 1)
RECORD = Record(
    id=NO_ID,
    type="probe",
    name="warehouse",
    description=None,
    labels={"team": "sales"},
    created_at="2026-11-23T08:15:00.120Z",
    updated_at="2026-11-23T08:15:00.120Z",
    revision=1,
    fields={"host": "h", "port": 5, "proxy": {"url": "u"}, "tags": ["a"]},
    bound=("host", "port", "proxy", "tags"),
    secrets={"/password": SealedSecret(FACTS, "abc"), "/proxy/token": SealedSecret(FACTS, "def")},
    key_id="k1",
    plugin=("wellhead-probe", "1.0"),
)
SEALED = {"bound", "secrets", "encryption"}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def document(**changes: Any) -> bytes:
    return json.dumps({**json.loads(RECORD.encode()), **changes}).encode()


def without(*names: str) -> bytes:
    return json.dumps({key: value for key, value in json.loads(RECORD.encode()).items() if key not in names}).encode()


def test_a_record_is_readable_json_and_reads_back_equal() -> None:
    assert decode(RECORD.encode(), NO_ID) == RECORD
    assert json.loads(RECORD.encode())["fields"]["host"] == "h"


@given(JSON)
def test_a_record_is_indented_as_python_does_it(value: Any) -> None:
    assert indented(value) == json.dumps(value, ensure_ascii=False, indent=2)


def test_a_record_says_what_wrote_it() -> None:
    stored = json.loads(RECORD.encode())
    assert stored["wellhead_format"] == 1
    assert stored["written_by"] == {"plugin": "wellhead-probe", "plugin_version": "1.0", "schema_version": 1}


def test_D_25_members_that_a_newer_minor_format_added_are_kept() -> None:
    record = decode(document(later={"a": [1]}), NO_ID)
    assert record.extra == {"later": {"a": [1]}}
    assert decode(record.encode(), NO_ID) == record


def test_S_07_a_record_of_another_id_is_damaged() -> None:
    with pytest.raises(DamagedRecordError):
        decode(RECORD.encode(), NO_ID.replace("4", "5"))


def test_D_23_a_newer_format_is_told_from_damage_and_shows_what_can_be_read() -> None:
    with pytest.raises(NewerRecordError) as caught:
        decode(document(wellhead_format=2, fields=None), NO_ID)
    assert caught.value.document["name"] == "warehouse"


@pytest.mark.parametrize("name", json.loads(RECORD.encode()))
def test_a_record_without_one_of_its_members_is_damaged(name: str) -> None:
    with pytest.raises(DamagedRecordError):
        decode(without(name), NO_ID)


@pytest.mark.parametrize("name", sorted(SEALED))
def test_C_04_no_part_of_what_belongs_to_secrets_is_there_alone(name: str) -> None:
    with pytest.raises(DamagedRecordError):
        decode(without(*(SEALED - {name})), NO_ID)


def test_a_record_without_secrets_has_nothing_that_belongs_to_them() -> None:
    assert decode(without(*SEALED), NO_ID) == replace(RECORD, bound=(), secrets={}, key_id=None)


@pytest.mark.parametrize(
    "changes",
    [
        {"wellhead_format": "1"},
        {"wellhead_format": True},
        {"revision": 0},
        {"revision": True},
        {"revision": "1"},
        {"revision": 2**63},
        {"name": None},
        {"labels": {"a": 1}},
        {"labels": []},
        {"fields": []},
        {"secrets": []},
        {"secrets": {"/password": None}},
        {"secrets": {"/password": {"box": "x"}}},
        {"encryption": {"scheme": "rot13", "key_id": "k1"}},
        {"encryption": {"scheme": ["x"], "key_id": "k1"}},
        {"encryption": {"key_id": "k1"}},
        {"encryption": None},
        {"bound": "host"},
        {"bound": [1]},
        {"written_by": None},
        {"created_at": "yesterday"},
        {"created_at": "2026-11-23T08:15:00"},
        {"created_at": "0001-01-01T00:00:00+14:00"},
        {"updated_at": "9999-12-31T23:59:59-14:00"},
        {"updated_at": 5},
    ],
)
def test_C_08_a_record_with_a_member_of_another_form_is_damaged(changes: dict[str, Any]) -> None:
    with pytest.raises(DamagedRecordError):
        decode(document(**changes), NO_ID)


@pytest.mark.parametrize(
    "pointer",
    ["", "password", "/name", "/state", "/labels/a", "/host", "/host/x", "/tags/0", "/proxy/url", "/a~2", "/proxy"],
)
def test_a_secret_in_a_place_that_is_none_makes_a_record_damaged(pointer: str) -> None:
    secret = {**FACTS.as_document(), "box": "abc"}
    with pytest.raises(DamagedRecordError):
        decode(document(secrets={pointer: secret}), NO_ID)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"null", b"[]", b"\xff", bytes(100), RECORD.encode()[:-30], b'{"a":1,"a":1}']
)
def test_D_22_what_is_no_record_is_damaged(content: bytes) -> None:
    with pytest.raises(DamagedRecordError):
        decode(content, NO_ID)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_I_17_any_bytes_are_a_record_or_damaged(content: bytes) -> None:
    with pytest.raises(DamagedRecordError):
        decode(content, NO_ID)


@given(st.sampled_from(sorted(json.loads(RECORD.encode()))), JSON)
@example("secrets", {"": {"is_set": True, "set_at": "2026-11-23T08:15:00Z", "set_in_revision": 1, "box": "a"}})
def test_I_17_any_value_of_a_member_raises_nothing_else(name: str, value: Any) -> None:
    try:
        decode(document(**{name: value}), NO_ID)
    except (DamagedRecordError, NewerRecordError):
        return


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_fields_read_back_as_they_were_stored(fields: dict[str, Any]) -> None:
    stored = as_stored(fields)
    secrets = {"/of no field": SealedSecret(FACTS, "abc")}
    record = replace(RECORD, fields=stored, bound=tuple(sorted(stored)), secrets=secrets)
    read = decode(record.encode(), NO_ID)
    assert read.fields == stored
    assert read.binding("w", "/p", FACTS) == record.binding("w", "/p", FACTS)


def test_numbers_that_are_equal_in_json_bind_a_secret_in_the_same_way() -> None:
    assert json.dumps(as_stored({"a": 5.0, "b": [1e3, -0.0], "c": 0.5})) == json.dumps(
        {"a": 5, "b": [1000, 0], "c": 0.5}
    )


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 10**401])
def test_what_could_not_be_read_again_is_not_stored(value: float) -> None:
    with pytest.raises(MalformedJSONError):
        as_stored({"a": value})


def test_what_is_nested_too_deep_to_be_read_again_is_not_stored() -> None:
    deep: Any = 1
    for _ in range(31):
        deep = {"a": deep}
    with pytest.raises(MalformedJSONError):
        as_stored({"x": deep})
    assert decode(replace(RECORD, fields=as_stored({"x": deep["a"]}), secrets={}).encode(), NO_ID)


def test_a_record_of_more_than_64_kib_is_not_stored() -> None:
    with pytest.raises(RecordTooLargeError):
        replace(RECORD, description="x" * 65536).encode()
    with pytest.raises(DamagedRecordError):
        decode(RECORD.encode() + b" " * 65536, NO_ID)


CHANGES = {
    "id": {"id": NO_ID.replace("4", "5")},
    "type": {"type": "other"},
    "a bound field": {"fields": {**RECORD.fields, "host": "attacker"}},
    "a nested bound field": {"fields": {**RECORD.fields, "proxy": {"url": "attacker"}}},
    "a bound field left out": {"fields": {"port": 5, "proxy": {"url": "u"}, "tags": ["a"]}},
    "a field added": {"fields": {**RECORD.fields, "extra": None}},
    "the list of bound fields": {"bound": ("port", "proxy", "tags")},
}


@pytest.mark.parametrize("what", CHANGES)
def test_C_02_C_04_the_binding_differs_with(what: str) -> None:
    changed = replace(RECORD, **CHANGES[what])  # type: ignore[arg-type]
    assert changed.binding("w", "/password", FACTS) != RECORD.binding("w", "/password", FACTS)


def test_C_03_C_05_the_binding_differs_with_workspace_place_and_facts() -> None:
    bindings = {
        RECORD.binding("w", "/password", FACTS),
        RECORD.binding("other", "/password", FACTS),
        RECORD.binding("w", "/proxy/token", FACTS),
        RECORD.binding("w", "/password", replace(FACTS, set_in_revision=2)),
        RECORD.binding("w", "/password", replace(FACTS, reference="env:A")),
    }
    assert len(bindings) == 5


def test_what_is_harmless_or_of_the_base_has_no_part_in_the_binding() -> None:
    other = replace(RECORD, name="n", description="d", labels={}, revision=9, updated_at="2027-01-01T00:00:00Z")
    assert other.binding("w", "/password", FACTS) == RECORD.binding("w", "/password", FACTS)


def test_null_and_absent_are_told_apart_in_the_binding() -> None:
    null = replace(RECORD, fields={"host": None}, bound=("host",))
    absent = replace(RECORD, fields={}, bound=("host",))
    assert null.binding("w", "/p", FACTS) != absent.binding("w", "/p", FACTS)
