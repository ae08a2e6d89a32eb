"""Fields of forms: what kind each becomes, from the parameters and the schema of its type."""

from __future__ import annotations

from typing import Any

import pytest

from support.types import ApiSource, DatabaseSource, DeepSource, FileSource
from wellhead.catalog.types import type_detail
from wellhead.model.source import DataSourceConfig
from wellhead.plugins.registry import DataSourceTypeRegistry
from wellhead.ui.fields import Field, groups_of, walk
from wellhead.ui.type_fields import fields_of

MODELS: dict[str, type[DataSourceConfig]] = {
    "deep": DeepSource,
    "mydb": DatabaseSource,
    "web": ApiSource,
    "text": FileSource,
}


def detail_of(type_name: str) -> dict[str, Any]:
    """Return what the API tells of a type."""
    registry = DataSourceTypeRegistry()
    registry.register_type(type_name, MODELS[type_name], None)
    return type_detail(registry, type_name)


def fields_by_key(type_name: str) -> dict[str, Field]:
    """Return the fields of a type, by key."""
    return {found.key: found for found in fields_of(detail_of(type_name))}


@pytest.mark.parametrize(
    ("key", "kind"),
    {
        "name": "text",
        "description": "lines",
        "labels": "map",
        "host": "text",
        "count": "number",
        "ratio": "number",
        "password": "secret",
        "tokens": "secrets",
        "proxy": "group",
        "proxies": "json",
        "auth": "variant",
        "tags": "json",
        "options": "json",
        "either": "text",
    }.items(),
)
def test_every_form_of_a_value_has_its_kind_of_field(key: str, kind: str) -> None:
    assert fields_by_key("deep")[key].kind == kind


@pytest.mark.parametrize(
    ("key", "kind"),
    {
        "tls_mode": "choice",
        "ca_certificate": "lines",
        "client_key": "secret_lines",
        "connection_string": "secret",
    }.items(),
)
def test_a_database_has_choices_and_texts_of_several_lines(key: str, kind: str) -> None:
    assert fields_by_key("mydb")[key].kind == kind


@pytest.mark.parametrize("type_name", MODELS)
def test_every_parameter_of_a_type_has_a_field_but_those_with_nothing_to_choose(type_name: str) -> None:
    detail = detail_of(type_name)
    names = {parameter["name"] for parameter in detail["parameters"] if len(parameter["enum"] or ("", "")) > 1}
    assert names <= {found.key for found in fields_of(detail)}
    assert "format" not in {found.key for found in fields_of(detail_of("text"))}


def test_fields_inside_a_nested_model_know_where_their_values_stand() -> None:
    proxy, auth = fields_by_key("deep")["proxy"], fields_by_key("deep")["auth"]
    assert [(inner.pointer, inner.kind) for inner in proxy.fields] == [
        ("/proxy/host", "text"),
        ("/proxy/notes", "text"),
        ("/proxy/password", "secret"),
    ]
    assert auth.tag == "kind"
    assert {tag: [inner.name for inner in inside] for tag, inside in auth.variants.items()} == {
        "basic": ["/auth#basic/user", "/auth#basic/password"],
        "bearer": ["/auth#bearer/token"],
    }


def test_the_names_and_ids_of_all_inputs_differ() -> None:
    fields = fields_of(detail_of("deep"))
    every = [*fields, *(inner for found in fields for group in found.variants.values() for inner in group)]
    every += [inner for found in fields for inner in found.fields]
    assert len({found.name for found in every}) == len({found.id for found in every}) == len(every)


def test_what_holds_secrets_at_any_depth_says_so() -> None:
    holding = {key for key, found in fields_by_key("deep").items() if found.has_secrets}
    assert holding == {"password", "tokens", "proxy", "proxies", "auth"}


def test_a_condition_of_the_type_is_one_of_the_field() -> None:
    token = fields_by_key("web")["token"]
    assert token.visible_when == token.required_when == {"auth_type": ["bearer"]}


def test_groups_come_in_the_order_of_their_fields_and_the_shortcut_first() -> None:
    groups = groups_of(fields_of(detail_of("mydb")), "A database")
    assert list(groups) == ["Shortcut", "About", "A database", "Login", "TLS"]
    assert [found.key for found in groups["Login"]] == ["username", "password"]


def test_of_several_nested_models_only_the_chosen_ones_fields_count() -> None:
    fields = fields_of(detail_of("deep"))
    names = [found.name for found in walk(fields, {"auth": {"kind": "bearer"}}) if found.name.startswith("/auth")]
    assert names == ["/auth", "/auth#bearer/token"]
