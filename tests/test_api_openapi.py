"""The OpenAPI document: valid for any number of types, and made of nothing but what is registered."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel, ConfigDict, create_model
from starlette.testclient import TestClient

import wellhead
from support.api import SOURCES, api, csv_source, database  # noqa: F401  # the fixture is found by its name
from wellhead.api.openapi import openapi_document
from wellhead.api.operations import OPERATIONS
from wellhead.plugins.registry import DataSourceTypeRegistry

PREFIX = "#/components/schemas/"
FAMILIES = (wellhead.DatabaseDataSource, wellhead.FileDataSource, wellhead.APIDataSource, wellhead.DataSourceConfig)


class Login(BaseModel):
    """A nested model with a secret."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user: str
    pin: wellhead.Secret


def model_of(name: str, number: int) -> type[wellhead.DataSourceConfig]:
    """Generate a model; models of all families take turns, each with nested and secret fields."""
    fields: dict[str, Any] = {
        "type": (Literal[name], name),
        "extra_secret": (wellhead.Secret | None, wellhead.field(None, description="A secret.")),
        "login": (Login | None, wellhead.field(None, description="A nested model.")),
        "tokens": (dict[str, wellhead.Secret], wellhead.field(default_factory=dict, description="Secrets.")),
    }
    return create_model(f"Model{number}", __base__=FAMILIES[number % len(FAMILIES)], **fields)


@cache
def document_of(count: int) -> dict[str, Any]:
    """Make the document for a number of generated types."""
    return document_for([f"type-{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(count)])


def document_for(names: list[str]) -> dict[str, Any]:
    registry = DataSourceTypeRegistry()
    for number, name in enumerate(names):
        registry.register_type(name, model_of(name, number), None)
    types = [registry.describe(name) for name in registry.list_types()]
    return openapi_document(OPERATIONS, types, version="1.0", timeout_max=60)


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Go through all objects of a document."""
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(inner)


@pytest.mark.parametrize("count", [0, 1, 5, 50])
def test_the_document_is_valid_for_any_number_of_types(count: int) -> None:
    document = json.loads(json.dumps(document_of(count)))
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


@pytest.mark.parametrize("count", [0, 1, 5, 50])
def test_every_reference_leads_somewhere_and_every_schema_is_reached(count: int) -> None:
    document = document_of(count)
    there = {PREFIX + name for name in document["components"]["schemas"]}
    referred = {node["$ref"] for node in nodes(document) if "$ref" in node}
    assert referred <= there
    assert {name for name in there - referred if "Secret" not in name} == set()


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("postgres", "Postgres"),
        ("csv", "Csv"),
        ("api", "Api"),
        ("mysql", "Mysql"),
        ("json-lines", "JsonLines"),
        ("s3", "S3"),
    ],
)
def test_schemas_are_named_by_their_type(name: str, schema: str) -> None:
    schemas = document_for([name])["components"]["schemas"]
    assert {f"{schema}{end}" for end in ("Create", "Read", "Patch")} <= schemas.keys()


def test_removing_a_type_removes_exactly_its_schemas() -> None:
    both, one = (document_for(names)["components"]["schemas"] for names in (["keep", "leave"], ["keep"]))
    assert {name for name in both if name not in one} == {name for name in both if name.startswith("Leave")}
    assert one.keys() <= both.keys()
    assert {name for name in one if one[name] != both[name]} == {
        "DataSourceCreate",
        "DataSourceRead",
        "DataSourcePatch",
        "DataSourceUnsaved",
        "NamelessDataSource",
        "UnavailableRead",
    }


def test_create_is_told_apart_by_type_and_patch_is_not() -> None:
    schemas = document_of(2)["components"]["schemas"]
    assert schemas["DataSourceCreate"]["discriminator"]["propertyName"] == "type"
    assert schemas["DataSourceCreate"]["discriminator"]["mapping"].keys() == {"type-aa", "type-ab"}
    assert len(schemas["DataSourceCreate"]["oneOf"]) == 2
    assert "discriminator" not in schemas["DataSourcePatch"]
    assert len(schemas["DataSourcePatch"]["anyOf"]) == 2


def test_every_operation_has_an_id_of_its_own_and_needs_the_token_or_says_so() -> None:
    operations = [operation for item in document_of(1)["paths"].values() for operation in item.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids)
    opened = [operation for operation in operations if operation.get("security") == []]
    assert {operation["operationId"] for operation in opened} == {"healthz", "readyz"}
    assert all("401" in operation["responses"] for operation in operations if operation not in opened)


@pytest.mark.parametrize(
    ("default", "is_kept"), [('"', False), ("a\\b", False), ("'", True), ("", True), ("plain", True)]
)
def test_a_default_that_generated_clients_misread_is_left_to_the_server(default: str, is_kept: bool) -> None:
    registry = DataSourceTypeRegistry()
    fields: dict[str, Any] = {"type": (Literal["quoting"], "quoting"), "mark": (str, wellhead.field(default))}
    registry.register_type("quoting", create_model("Quoting", __base__=wellhead.DataSourceConfig, **fields), None)
    document = openapi_document(OPERATIONS, [registry.describe("quoting")], version="1.0", timeout_max=60)
    mark = document["components"]["schemas"]["QuotingCreate"]["properties"]["mark"]
    assert mark.get("default") == (default if is_kept else None)


def test_a_data_source_that_is_answered_leads_to_all_that_can_be_done_with_it() -> None:
    paths = document_of(1)["paths"]
    by_id = {operation["operationId"]: path for path, item in paths.items() for operation in item.values()}
    made = paths[SOURCES]["post"]["responses"]["201"]
    assert {by_id[link["operationId"]] for link in made["links"].values()} == {
        path for path in paths if "{source_id}" in path
    }
    assert {name for name, path in by_id.items() if "{source_id}" in path} == made["links"].keys()


@pytest.mark.parametrize("count", [0, 1, 5])
def test_every_object_that_is_used_by_a_schema_has_a_name(count: int) -> None:
    """Generated clients have a class for each, and name those that have no name after where they stand."""
    schemas = document_of(count)["components"]["schemas"]
    inner = [node for schema in schemas.values() for child in schema.values() for node in nodes(child)]
    assert [node for node in inner if isinstance(node.get("properties"), dict) and node.get("type") == "object"] == []


@pytest.mark.parametrize("count", [1, 2, 50])
def test_L_17_no_secret_has_a_default_or_an_example(count: int) -> None:
    secret = [node for node in nodes(document_of(count)["components"]["schemas"]) if node.get("x-secret") is True]
    assert secret
    assert not [node for node in secret if {"default", "example", "examples", "const", "enum"} & node.keys()]


def test_what_the_service_answers_fits_its_own_document(api: TestClient) -> None:  # noqa: F811
    schemas = api.get("/openapi.json").json()["components"]
    for document in (csv_source(), database(password="a password")):
        assert fits(schemas, "DataSourceCreate", document)
        saved = api.post(SOURCES, json=document).json()
        assert fits(schemas, "DataSourceRead", saved)
        assert fits(schemas, "DataSourceCreate", saved)
    assert fits(schemas, "DataSourcePage", api.get(SOURCES).json())
    assert fits(schemas, "DataSourceSummary", api.get(f"{SOURCES}/summary").json())
    assert fits(schemas, "TypeList", api.get(f"{SOURCES}/types").json())
    assert fits(schemas, "TypeDetail", api.get(f"{SOURCES}/types/csv").json())
    assert fits(schemas, "Problem", api.post(SOURCES, json={"type": "csv"}).json())
    assert fits(schemas, "ValidationResult", api.post(f"{SOURCES}/validate", json=csv_source()).json())


@pytest.mark.parametrize("change", [{"port": "5432"}, {"tls_mode": "prefer"}, {"host": 1}, {"bogus": 1}])
def test_what_the_service_refuses_does_not_fit_the_document(api: TestClient, change: dict[str, Any]) -> None:  # noqa: F811
    document = database(**change)
    assert api.post(SOURCES, json=document).status_code == 422
    assert not fits(api.get("/openapi.json").json()["components"], "DataSourceCreate", document)


def fits(components: dict[str, Any], name: str, document: Any) -> bool:
    schema = {"$ref": f"{PREFIX}{name}", "components": components}
    return not list(Draft202012Validator(schema).iter_errors(document))
