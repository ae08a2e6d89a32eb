"""The base model and the three families."""

import pytest
from pydantic import ValidationError

import wellhead
from support.types import (
    API,
    DATABASE,
    FILE,
    MINIMAL,
    SHAPES,
    ApiSource,
    DatabaseSource,
    DeepSource,
    codes,
    document,
    problems,
)
from wellhead.assembled import Wellhead
from wellhead.catalog.documents import read_new
from wellhead.model.families import FAMILIES
from wellhead.model.markers import is_harmless
from wellhead.model.source import BASE_FIELDS, RESERVED_FIELDS, DataSourceConfig

KEY = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("name", MINIMAL)
def test_a_minimal_document_fits(name: str) -> None:
    assert read_new(SHAPES[name], MINIMAL[name]).type == name


def test_the_families_have_the_fields_of_the_contract_and_no_others() -> None:
    own = [set(family.model_fields) - BASE_FIELDS for family in FAMILIES]
    assert own == [
        {
            "host",
            "port",
            "database",
            "username",
            "password",
            "tls_mode",
            "ca_certificate",
            "client_certificate",
            "client_key",
        },
        {"path", "format", "encoding"},
        {
            "url",
            "auth_type",
            "username",
            "password",
            "token",
            "api_key",
            "api_key_header",
            "token_url",
            "client_id",
            "client_secret",
            "scope",
            "headers",
            "secret_headers",
            "health_path",
            "expected_status",
            "method",
        },
    ]


def test_the_reserved_names_are_those_of_the_contract() -> None:
    later = "state health created_by updated_by owner workspace schema_version etag links meta"
    base = "id name type description labels created_at updated_at revision"
    assert set(base.split()) == BASE_FIELDS
    assert set(f"{base} {later}".split()) == RESERVED_FIELDS


def test_an_instance_never_changes() -> None:
    config = DeepSource(name="n")
    with pytest.raises(ValidationError, match="frozen"):
        config.host = "evil.example"  # type: ignore[misc]  # that it cannot be assigned is what is tested


def test_the_secrets_of_the_families_are_these() -> None:
    assert DATABASE.secret_fields() == {"password", "client_key"}
    assert API.secret_fields() == {"password", "token", "api_key", "client_secret", "secret_headers"}
    assert FILE.secret_fields() == frozenset()


def test_X_02_all_but_secrets_and_the_reviewed_harmless_fields_are_bound() -> None:
    free = {"application_name", "password", "client_key"}
    assert DATABASE.bound == set(DatabaseSource.model_fields) - BASE_FIELDS - free
    free = {"expected_status", "password", "token", "api_key", "client_secret"}
    assert API.bound == set(ApiSource.model_fields) - BASE_FIELDS - free


REVIEWED: dict[str, set[str]] = {
    "api": {"expected_status", "expected_json"},
    "csv": {"delimiter", "quote_character", "has_header", "compression"},
    "json": {"records_pointer", "compression"},
    "mysql": set(),
    "postgres": {"application_name"},
    "redis": set(),
}
"""The fields of our own types that have no say in where secrets go. Whoever adds one here has thought of that."""


@pytest.mark.parametrize("type_name", REVIEWED)
def test_X_02_all_other_fields_of_our_types_are_bound(wellhead_parts: Wellhead, type_name: str) -> None:
    shape = wellhead_parts.types.registry.describe(type_name).shape
    own = shape.model.model_fields.keys() - BASE_FIELDS
    assert own - shape.bound - shape.secret_fields() == REVIEWED[type_name]


@pytest.mark.parametrize("family", FAMILIES)
def test_X_02_a_type_inherits_no_harmless_field_but_the_reviewed_one(family: type[DataSourceConfig]) -> None:
    harmless = {name for name, info in family.model_fields.items() if is_harmless(info)}
    assert harmless <= BASE_FIELDS | {"expected_status"}


def test_the_tls_mode_is_verify_full_unless_said_otherwise() -> None:
    assert DatabaseSource.model_validate(document("mydb")).tls_mode == "verify-full"
    assert problems("mydb", tls_mode="prefer") == [
        {
            "pointer": "/tls_mode",
            "code": "not_allowed",
            "message": "The value is not one of those allowed.",
            "allowed": ["disable", "require", "verify-ca", "verify-full"],
        }
    ]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"client_certificate": CERTIFICATE}, {"/client_key": "required"}),
        ({"client_key": KEY}, {"/client_certificate": "required"}),
        ({"client_key": {"ref": "env:KEY"}}, {"/client_certificate": "required"}),
        ({"client_key": KEY, "client_certificate": CERTIFICATE}, {}),
        ({"client_key": KEY, "client_certificate": CERTIFICATE, "tls_mode": "require"}, {}),
        ({"ca_certificate": CERTIFICATE, "tls_mode": "require"}, {"/ca_certificate": "not_applicable"}),
        ({"ca_certificate": CERTIFICATE, "tls_mode": "verify-ca"}, {}),
    ],
)
def test_certificates_and_keys_go_together(fields: dict[str, object], found: dict[str, str]) -> None:
    assert codes("mydb", **fields) == found


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"auth_type": "basic"}, {"/username": "required", "/password": "required"}),
        ({"auth_type": "basic", "username": "u", "password": "p"}, {}),
        ({"auth_type": "basic", "username": "u", "password": {"ref": "env:P"}}, {}),
        ({"auth_type": "bearer"}, {"/token": "required"}),
        ({"auth_type": "bearer", "token": "t", "username": "u"}, {"/username": "not_applicable"}),
        ({"token": "t"}, {"/token": "not_applicable"}),
        ({"auth_type": "api_key", "api_key": "k", "api_key_header": "X-K"}, {}),
        ({"api_key_header": "X-K"}, {"/api_key_header": "not_applicable"}),
        ({"api_key_header": "X-API-Key"}, {}),
        ({"scope": "read"}, {"/scope": "not_applicable"}),
        (
            {"auth_type": "oauth2_client_credentials"},
            {"/token_url": "required", "/client_id": "required", "/client_secret": "required"},
        ),
        ({"auth_type": "digest"}, {"/auth_type": "not_allowed"}),
    ],
)
def test_each_way_to_log_in_has_its_fields_and_no_others(fields: dict[str, object], found: dict[str, str]) -> None:
    assert codes("web", **fields) == found


@pytest.mark.parametrize("method", ["POST", "get", "DELETE", ""])
def test_H_10_only_methods_without_effects_are_offered(method: str) -> None:
    assert codes("web", method=method) == {"/method": "not_allowed"}


@pytest.mark.parametrize("status", [99, 600, "200", 200.5])
def test_an_expected_status_is_one_of_http(status: object) -> None:
    assert set(codes("web", expected_status=status)) == {"/expected_status"}


def test_a_connection_string_is_unknown_to_a_database_that_reads_none() -> None:
    assert "connection_string" not in wellhead.DatabaseDataSource.model_fields
    found = wellhead.DatabaseDataSource.expand_input({"connection_string": "x://"})
    assert found == {"connection_string": "x://"}
