"""JSON Schemas of types: valid, and of one mind with the models."""

import json
import re
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import Field

import wellhead
from support.canary import Canary
from support.types import MINIMAL, SHAPES, Proxy, codes, document, make_type, stored
from wellhead import Secret
from wellhead.model.schemas import REF, SECRET_SCHEMAS, Direction, schema_name, schemas_of
from wellhead.model.shape import Shape

KEY = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
FACTS = {"is_set": True, "set_at": "2026-11-23T08:15:00.120Z", "set_in_revision": 1}
STATES: dict[str, Any] = {"State": {"const": "ok"}, "Health": {"type": "object"}}
DIRECTIONS: tuple[Direction, ...] = ("Create", "Read", "Patch")

FITTING: list[tuple[str, dict[str, Any]]] = [
    *[(name, {}) for name in MINIMAL],
    ("deep", {"password": "p", "tokens": {"a": "b"}, "proxies": {"x": {"host": "h", "password": None}}}),
    ("deep", {"password": {"ref": "env:A"}, "proxy": {"host": "h", "password": {"ref": "file:/x"}}}),
    ("deep", {"auth": {"kind": "bearer", "token": "t"}, "tags": ["a"], "either": "x", "options": {"a": [None]}}),
    ("deep", {"labels": {"team/a": "x"}, "description": "a\nb", "auth": None, "proxy": None}),
    ("mydb", {"port": 1, "tls_mode": "disable", "password": "p", "application_name": "x"}),
    ("web", {"auth_type": "basic", "username": "u", "password": "p"}),
    (
        "web",
        {"auth_type": "bearer", "token": {"ref": "env:T"}, "headers": {"Accept": "x"}, "secret_headers": {"K": "v"}},
    ),
    ("web", {"auth_type": "none", "token": None, "health_path": "/x", "expected_status": 204}),
    ("text", {"encoding": "latin1", "path": "/srv/x"}),
]
MISFITS: list[tuple[str, dict[str, Any]]] = [
    ("deep", {"unknown": 1}),
    ("deep", {"name": ""}),
    ("deep", {"name": "n" * 101}),
    ("deep", {"count": "1"}),
    ("deep", {"count": True}),
    ("deep", {"password": ""}),
    ("deep", {"password": 5}),
    ("deep", {"password": {"ref": "http://h"}}),
    ("deep", {"password": {"ref": "env:A", "x": 1}}),
    ("deep", {"tokens": {"a": 5}}),
    ("deep", {"tokens": {"a": ""}}),
    ("deep", {"proxy": {"notes": "n"}}),
    ("deep", {"proxies": {"x": {"host": "h", "y": 1}}}),
    ("deep", {"auth": {"kind": "bearer", "user": "u"}}),
    ("deep", {"labels": {"a b": "x"}}),
    ("deep", {"labels": {"a": 5}}),
    ("deep", {"labels": {str(number): "" for number in range(33)}}),
    ("deep", {"description": "d" * 2001}),
    ("mydb", {"port": 0}),
    ("mydb", {"database": ""}),
    ("mydb", {"tls_mode": "prefer"}),
    ("mydb", {"host": None}),
    ("mydb", {"tls_mode": "disable", "ca_certificate": "x"}),
    ("web", {"auth_type": "basic", "password": "p"}),
    ("web", {"auth_type": "basic", "username": "u", "password": None}),
    ("web", {"token": "t"}),
    ("web", {"scope": "x"}),
    ("web", {"method": "POST"}),
    ("web", {"url": "ftp://h"}),
    ("web", {"health_path": "x"}),
    ("text", {"path": ""}),
]


def validator_of(shape: Shape, type_name: str, direction: Direction) -> Draft202012Validator:
    components = {**schemas_of(shape, type_name, direction), **SECRET_SCHEMAS, **STATES}
    text = json.dumps({"$defs": components, "$ref": REF + schema_name(type_name, direction)})
    whole = json.loads(text.replace(REF, "#/$defs/"))
    Draft202012Validator.check_schema(whole)
    return Draft202012Validator(whole)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", MINIMAL)
def test_every_schema_is_valid_and_stands_by_itself(name: str, direction: Direction) -> None:
    schemas = schemas_of(SHAPES[name], name, direction)
    references = set(re.findall(f'"{REF}([^"]+)"', json.dumps(schemas)))
    assert references <= schemas.keys() | SECRET_SCHEMAS.keys() | STATES.keys()
    assert all(
        schema["title"] == own and own.startswith(schema_name(name, direction)) for own, schema in schemas.items()
    )
    validator_of(SHAPES[name], name, direction)


@pytest.mark.parametrize(("name", "fields"), FITTING)
def test_what_the_model_takes_fits_the_schema(name: str, fields: dict[str, Any]) -> None:
    assert codes(name, **fields) == {}
    validator_of(SHAPES[name], name, "Create").validate(document(name, **fields))


@pytest.mark.parametrize(("name", "fields"), MISFITS)
def test_what_the_schema_refuses_the_model_refuses_and_the_other_way_round(name: str, fields: dict[str, Any]) -> None:
    assert codes(name, **fields) != {}
    assert not validator_of(SHAPES[name], name, "Create").is_valid(document(name, **fields))


@pytest.mark.parametrize("missing", ["name", "host", "database", "username", "type"])
def test_a_required_field_is_required_by_the_schema(missing: str) -> None:
    sent = {name: value for name, value in MINIMAL["mydb"].items() if name != missing}
    assert not validator_of(SHAPES["mydb"], "mydb", "Create").is_valid(sent)


def test_a_connection_string_stands_for_the_fields_in_the_schema_too() -> None:
    validator = validator_of(SHAPES["mydb"], "mydb", "Create")
    validator.validate({"name": "n", "type": "mydb", "connection_string": "mydb://u@h/d"})
    assert not validator.is_valid({"name": "n", "type": "mydb"})


VALUES = st.recursive(
    st.sampled_from(["a", "h.example", "", "a b", "basic", "bearer", 5, True, None, 1.5]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["kind", "host", "password", "token", "user", "ref"]), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(
    st.dictionaries(
        st.sampled_from(
            sorted(set(SHAPES["deep"].model.model_fields) - {"id", "created_at", "updated_at", "revision", "type"})
        ),
        VALUES,
        max_size=5,
    )
)
@settings(max_examples=200, deadline=None)
def test_any_document_that_the_model_takes_fits_the_schema(fields: dict[str, Any]) -> None:
    if codes("deep", **fields) == {}:
        assert DEEP_CREATE.is_valid(document("deep", **fields))


DEEP_CREATE = validator_of(SHAPES["deep"], "deep", "Create")


@pytest.mark.parametrize(("name", "fields"), FITTING)
def test_what_is_read_fits_the_read_schema_and_can_be_sent_back(name: str, fields: dict[str, Any]) -> None:
    read = stored(name, **fields).as_document()
    validator_of(SHAPES[name], name, "Read").validate(read)
    validator_of(SHAPES[name], name, "Create").validate(read)


@pytest.mark.parametrize(
    ("name", "patch"),
    [
        ("deep", {}),
        ("deep", {"name": "other", "description": None, "labels": {"team": None, "b": "c"}}),
        ("deep", {"proxy": {"password": "p"}, "proxies": {"x": None, "y": {"password": None}}}),
        ("deep", {"tokens": {"a": None, "b": {"ref": "env:B"}}, "password": FACTS, "count": None}),
        ("deep", {"auth": {"kind": "basic", "user": "u"}}),
        ("mydb", {"connection_string": "mydb://h"}),
        ("web", {"headers": {"Accept": None}, "labels": None, "revision": 3, "state": "ok"}),
    ],
)
def test_merge_patches_fit_the_patch_schema(name: str, patch: dict[str, Any]) -> None:
    validator_of(SHAPES[name], name, "Patch").validate(patch)


@pytest.mark.parametrize(
    "patch", [{"unknown": 1}, {"count": "x"}, {"password": ""}, {"proxy": {"hst": "h"}}, {"type": "web"}]
)
def test_the_patch_schema_refuses_what_never_fits(patch: dict[str, Any]) -> None:
    assert not validator_of(SHAPES["deep"], "deep", "Patch").is_valid(patch)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_L_17_examples_and_defaults_of_secrets_are_not_shown(direction: Direction, canary: Canary) -> None:
    value = canary.plain_secret()

    class Shown(Proxy):
        model_config = {"json_schema_extra": {"examples": [{"host": "h", "password": value}]}}  # noqa: RUF012  # pydantic reads it as its configuration
        password: Secret | None = wellhead.field(None, examples=[value])

    described = make_type(
        one=(Secret | None, wellhead.field(None, examples=[value])),
        many=(dict[str, Secret], wellhead.field(default_factory=dict, examples=[{"k": value}])),
        nested=(Shown | None, Field(None, examples=[{"password": value}])),
        deep=(Annotated[dict[str, Shown], Field(examples=[{"a": {"password": value}}])], Field(default_factory=dict)),
        plain=(str, wellhead.field("", examples=["an example"])),
    )
    text = json.dumps(schemas_of(described.shape, "mine", direction))
    canary.saw(text + json.dumps(described.parameters))
    assert "an example" in text


def test_secrets_are_written_as_values_and_read_as_facts() -> None:
    create = schemas_of(SHAPES["deep"], "deep", "Create")
    read = schemas_of(SHAPES["deep"], "deep", "Read")
    assert create["DeepCreate"]["properties"]["password"]["$ref"].endswith("SecretInput")
    assert read["DeepReadProxy"]["properties"]["password"]["$ref"].endswith("SecretOutput")
    assert "password" not in create["DeepCreateBasic"]["required"]
    assert create["DeepCreate"]["properties"]["tokens"]["additionalProperties"]["$ref"].endswith("SecretInput")


def test_the_discriminator_of_a_nested_union_points_at_schemas_that_there_are() -> None:
    schemas = schemas_of(SHAPES["deep"], "deep", "Create")
    (union,) = [form for form in schemas["DeepCreate"]["properties"]["auth"]["anyOf"] if "discriminator" in form]
    assert union["discriminator"]["mapping"] == {
        "basic": f"{REF}DeepCreateBasic",
        "bearer": f"{REF}DeepCreateBearer",
    }


@pytest.mark.parametrize(
    ("type_name", "name"),
    [("postgres", "PostgresCreate"), ("ab", "AbCreate"), ("a1-b2-c", "A1B2CCreate"), ("mysql", "MysqlCreate")],
)
def test_schemas_are_named_by_the_rule_of_the_contract(type_name: str, name: str) -> None:
    assert schema_name(type_name, "Create") == name


def test_values_that_are_no_objects_can_be_nested() -> None:
    from enum import Enum
    from typing import NamedTuple

    class Color(Enum):
        RED = "red"

    class Pair(NamedTuple):
        one: int
        two: str

    described = make_type(color=(Color, Color.RED), pair=(Pair, Pair(1, "x")))
    for direction in DIRECTIONS:
        validator_of(described.shape, "mine", direction)
    validator_of(described.shape, "mine", "Create").validate(
        {"name": "n", "type": "mine", "color": "red", "pair": [1, "a"]}
    )
