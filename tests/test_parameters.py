"""Parameters: what forms and the command line ask for."""

import json
from typing import Annotated, Any, Literal

import pytest

import wellhead
from support.types import API, DATABASE, SHAPES, make_type
from wellhead import Secret
from wellhead.model.parameters import parameters_of, takes_connection_string, title_of
from wellhead.model.source import BASE_FIELDS

KEYS = [
    "name",
    "type",
    "title",
    "description",
    "required",
    "default",
    "secret",
    "harmless",
    "enum",
    "examples",
    "group",
    "order",
    "visible_when",
]


def parameter(name: str, **fields: Any) -> dict[str, Any]:
    (found,) = [item for item in make_type(**fields).parameters if item["name"] == name]
    return found


@pytest.mark.parametrize("type_name", SHAPES)
def test_every_parameter_has_every_key_of_the_contract_and_is_json(type_name: str) -> None:
    found = parameters_of(SHAPES[type_name])
    assert all(item.keys() >= set(KEYS) for item in found)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@pytest.mark.parametrize("type_name", SHAPES)
def test_there_is_one_parameter_for_each_field_of_the_type_and_none_for_those_of_the_base(type_name: str) -> None:
    shape = SHAPES[type_name]
    names = [item["name"] for item in parameters_of(shape)]
    wanted = set(shape.model.model_fields) - BASE_FIELDS
    assert set(names) == wanted | ({"connection_string"} if takes_connection_string(shape.model) else set())
    assert len(names) == len(set(names))


def test_parameters_come_in_their_order() -> None:
    names = [item["name"] for item in parameters_of(DATABASE)]
    assert names[:4] == ["host", "port", "database", "username"]  # also "port", which the type redefines
    assert names[-1] == "connection_string"


@pytest.mark.parametrize(
    ("annotation", "wanted"),
    [
        (int, {"type": "integer", "required": True, "secret": False}),
        (Annotated[str, wellhead.MultiLine()], {"type": "string", "multi_line": True}),
        (bool, {"type": "boolean"}),
        (list[str], {"type": "array"}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal["a"], {"enum": ["a"]}),
        (wellhead.Port | None, {"type": "integer", "minimum": 1, "maximum": 65535}),
        (Secret, {"type": "string", "secret": True, "required": True, "default": None}),
        (Secret | None, {"type": "string", "secret": True}),
        (dict[str, Secret], {"type": "object", "secret": True}),
        (Annotated[int, wellhead.Harmless()], {"harmless": True}),
    ],
)
def test_a_parameter_says_what_its_field_says(annotation: Any, wanted: dict[str, Any]) -> None:
    found = parameter("thing", thing=annotation)
    assert wanted.items() <= found.items()


def test_conditions_and_notes_are_shown() -> None:
    found = {item["name"]: item for item in parameters_of(API)}
    assert found["token"]["required_when"] == {"auth_type": ["bearer"]}
    assert found["token"]["visible_when"] == {"auth_type": ["bearer"]}
    assert found["scope"]["required_when"] is None
    assert found["url"]["examples"] == ["https://api.example.com/v1"]
    assert (found["auth_type"]["title"], found["auth_type"]["group"]) == ("Authentication", "Login")


def test_L_17_examples_of_a_secret_are_not_shown() -> None:
    found = parameter("thing", thing=(Secret | None, wellhead.field(None, examples=["hunter2"])))
    assert found["examples"] == []


def test_a_title_is_made_from_the_name() -> None:
    assert title_of("busy_timeout") == "Busy timeout"
    assert parameter("busy_timeout", busy_timeout=(int, 5))["title"] == "Busy timeout"


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("busy_timeout", "Busy timeout"),
        ("ca_file", "CA file"),
        ("client_id", "Client ID"),
        ("s3", "S3"),
        ("idle", "Idle"),
    ],
)
def test_a_title_is_made_of_a_name_with_abbreviations_in_capitals(name: str, title: str) -> None:
    assert title_of(name) == title
