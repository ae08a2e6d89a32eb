"""From a form to the document that the API gets, and back to what may be shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.types import codes
from test_ui_fields import detail_of, fields_by_key
from wellhead.ui.documents import created, difference, secrets_typed, shown_again, written
from wellhead.ui.entry import stored_values
from wellhead.ui.fields import CONNECTION_STRING, defaults_of
from wellhead.ui.forms import Form
from wellhead.ui.reading import Choice, Hidden, Typed, read, scalar
from wellhead.ui.type_fields import fields_of

FACTS = {"is_set": True, "set_at": "2026-11-23T08:15:00.120Z", "set_in_revision": 1}
DEEP = tuple(found for found in fields_of(detail_of("deep")))
WEB = fields_of(detail_of("web"))


def values_of(type_name: str, *pairs: tuple[str, str], **base: Any) -> dict[str, Any]:
    """Return what is read from a form of a type."""
    return read(fields_of(detail_of(type_name)), Form(pairs), base).values


def deep(*pairs: tuple[str, str], **base: Any) -> dict[str, Any]:
    """Return the document that a form of the type with nested fields makes."""
    return written(DEEP, read(DEEP, Form(pairs), base).values, base)


@pytest.mark.parametrize(
    ("text", "types", "value"),
    [
        ("5432", {"integer"}, 5432),
        (" 5432 ", {"integer"}, 5432),
        ("54e2", {"integer"}, "54e2"),
        ("fast", {"integer"}, "fast"),
        ("1.5", {"number"}, 1.5),
        ("2", {"number"}, 2),
        ("9" * 400, {"integer"}, "9" * 400),
        ("7", {"integer", "string"}, 7),
        ("seven", {"integer", "string"}, "seven"),
        ("true", {"boolean", "string"}, True),
        ("007", {"string"}, "007"),
    ],
)
def test_a_text_is_read_as_what_the_field_takes_and_else_stays_as_it_was_typed(
    text: str, types: set[str], value: Any
) -> None:
    found = scalar(text, frozenset(types))
    assert (found, type(found)) == (value, type(value))


def test_what_is_not_filled_in_is_left_out() -> None:
    assert deep(("/name", "a"), ("/description", ""), ("/password#how", "value"), ("/password", "")) == {"name": "a"}


def test_a_field_that_does_not_apply_goes_back_to_its_default() -> None:
    base = {"auth_type": "basic", "username": "reader", "password": FACTS}
    document = written(WEB, read(WEB, Form([("/auth_type", "none")]), base).values, base)
    assert document == {"auth_type": "none", "password": None}


def test_a_box_that_is_not_ticked_is_false() -> None:
    assert values_of("web", ("/x", "y")) == {}
    assert scalar("false", frozenset({"boolean"})) is False


@pytest.mark.parametrize(
    ("how", "typed", "sent"),
    [
        ("keep", {}, FACTS),
        ("keep", {"": "new"}, "new"),
        ("value", {"": "new"}, "new"),
        ("value", {"": ""}, ""),
        ("ref", {"#ref": "env:PG_PASSWORD", "": "left over"}, {"ref": "env:PG_PASSWORD"}),
        ("clear", {}, None),
    ],
)
def test_a_stored_secret_is_kept_replaced_referred_to_or_cleared(how: str, typed: dict[str, str], sent: Any) -> None:
    pairs = [("/password#how", how), *((f"/password{part}", value) for part, value in typed.items())]
    assert deep(*pairs, password=FACTS)["password"] == sent


def test_rows_become_a_map_without_the_empty_ones() -> None:
    pairs = [("/labels#rows", "1"), ("/labels#key", "team"), ("/labels#value", "sales")]
    pairs += [("/labels#key", ""), ("/labels#value", ""), ("/labels#key", "tier"), ("/labels#value", "")]
    assert deep(*pairs)["labels"] == {"team": "sales", "tier": ""}


def test_two_rows_of_one_key_are_told() -> None:
    pairs = [("/labels#rows", "1"), *[("/labels#key", "a"), ("/labels#value", "b")] * 2]
    (problem,) = read(DEEP, Form(pairs), {}).problems
    assert (problem["pointer"], problem["code"]) == ("/labels", "duplicate_key")


def test_rows_of_secrets_keep_replace_and_remove_each() -> None:
    rows = [("kept", "keep", ""), ("new", "value", "s"), ("old", "clear", ""), ("named", "ref", "env:A")]
    pairs = [("/tokens#rows", "1")]
    for key, how, value in rows:
        pairs += [("/tokens#key", key), ("/tokens#how", how), ("/tokens#value", value)]
    tokens = deep(*pairs, tokens={"kept": FACTS, "old": FACTS})["tokens"]
    assert tokens == {"kept": FACTS, "new": "s", "named": {"ref": "env:A"}}


def test_a_row_with_a_key_and_no_secret_is_not_dropped_without_a_word() -> None:
    pairs = [("/tokens#rows", "1"), ("/tokens#key", "a"), ("/tokens#how", "value"), ("/tokens#value", "")]
    assert codes("deep", **{key: value for key, value in deep(*pairs).items() if key == "tokens"}) == {
        "/tokens/a": "secret_empty"
    }


@pytest.mark.parametrize(
    ("is_set", "host", "proxy"), [("false", "", None), ("true", "", {}), ("false", "p.example", {"host": "p.example"})]
)
def test_a_nested_model_is_there_if_it_is_ticked_or_typed_in(is_set: str, host: str, proxy: Any) -> None:
    pairs = [("/proxy#is", is_set), ("/proxy/host", host), ("/proxy/notes", ""), ("/proxy/password#how", "value")]
    assert deep(*pairs, ("/proxy/password", "")).get("proxy") == proxy


def test_of_several_nested_models_only_the_chosen_one_is_read() -> None:
    pairs = [("/auth#as", "bearer"), ("/auth#bearer/token#how", "value"), ("/auth#bearer/token", "t")]
    base = {"auth": {"kind": "basic", "user": "u", "password": FACTS}}
    assert deep(*pairs, ("/auth#basic/user", "other"), **base)["auth"] == {"kind": "bearer", "token": "t"}


def test_json_that_cannot_be_read_is_told_and_shown_as_it_was_typed() -> None:
    reading = read(DEEP, Form([("/tags", "[1,"), ("/proxies", "{")]), {})
    assert [(problem["pointer"], problem["code"]) for problem in reading.problems] == [
        ("/proxies", "malformed_json"),
        ("/tags", "malformed_json"),
    ]
    assert shown_again(DEEP, reading.values) == {"tags": Typed("[1,")}


def test_a_connection_string_goes_alone_beside_what_differs_from_the_defaults() -> None:
    fields = tuple(fields_by_key("mydb").values())
    pairs = [("/name", "a"), ("/port", "5432"), ("/tls_mode", "disable"), ("/host", "")]
    pairs += [(f"/{CONNECTION_STRING}#how", "value"), (f"/{CONNECTION_STRING}", "mydb://h/d")]
    document = created(fields, read(fields, Form(pairs), {}).values, "mydb")
    assert document == {"type": "mydb", "name": "a", "tls_mode": "disable", CONNECTION_STRING: "mydb://h/d"}


def test_nothing_secret_is_shown_again() -> None:
    values = {
        "name": "a",
        "password": Choice("value", value="s3cret-1"),
        "tokens": {"a": Choice("value", value="s3cret-2"), "b": Choice("ref", reference="env:B")},
        "proxy": {"host": "p", "password": Choice("value", value="s3cret-3")},
        "proxies": Hidden({"a": {"password": "s3cret-4"}}),
        "auth": {"kind": "bearer", "token": Choice("value", value="s3cret-5")},
    }
    shown = shown_again(DEEP, values)
    assert secrets_typed(DEEP, values)
    assert not secrets_typed(DEEP, shown)
    assert "s3cret" not in json.dumps(shown, default=lambda choice: [choice.how, choice.value, choice.reference])
    assert "s3cret" not in repr(values)
    assert (shown["proxy"]["host"], shown["tokens"]["b"].reference) == ("p", "env:B")


JSON = st.recursive(
    st.sampled_from([None, True, 1, 1.5, "", "a"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
OBJECT = st.dictionaries(st.sampled_from("abcd"), JSON, max_size=4)


def merged(target: Any, patch: Any) -> Any:
    """Apply a merge patch, as RFC 7396 writes it down."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def without_nulls(value: Any) -> Any:
    """Take null out of objects: a merge patch cannot put it there."""
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    return value


@given(OBJECT, OBJECT)
def test_the_difference_makes_one_document_of_the_other(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert without_nulls(merged(old, difference(old, new))) == without_nulls(new)
    assert difference(new, new) == {}


def test_a_secret_is_replaced_whole() -> None:
    assert difference({"password": FACTS}, {"password": {"ref": "env:A"}}) == {"password": {"ref": "env:A"}}
    assert difference({"password": FACTS}, {"password": FACTS}) == {}


def test_what_a_form_begins_with_is_what_it_writes() -> None:
    base = {
        **defaults_of(DEEP),
        "name": "a",
        "labels": {"team": "sales"},
        "count": 3,
        "password": FACTS,
        "tokens": {"t": FACTS},
        "proxy": {"host": "p", "notes": "", "password": FACTS},
        "proxies": {"x": {"host": "q", "notes": "", "password": None}},
        "auth": {"kind": "basic", "user": "u", "password": FACTS},
        "tags": ["a"],
        "unknown_to_the_form": {"deep": [1]},
    }
    assert written(DEEP, stored_values(DEEP, base), base) == base
