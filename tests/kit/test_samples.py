"""Documents that the kit makes of a type's examples."""

from __future__ import annotations

import pytest

from wellhead.plugins.loader import load_plugins
from wellhead.plugins.registry import DataSourceTypeRegistry, RegisteredType
from wellhead.testing.kit.canaries import is_in
from wellhead.testing.kit.rogues import document_for_server
from wellhead.testing.kit.samples import examples_of, problems_of, with_canaries
from wellhead.testing.servers import RunningServer

SECRETS = {
    "api": {"api_key", "client_secret", "password", "secret_headers", "token"},
    "mysql": {"client_key", "password"},
    "postgres": {"client_key", "password"},
    "csv": set(),
}


@pytest.fixture(scope="module")
def registry() -> DataSourceTypeRegistry:
    registry = DataSourceTypeRegistry()
    load_plugins(registry)
    return registry


@pytest.mark.parametrize("name", SECRETS)
def test_each_secret_of_a_type_is_set_in_a_document_that_the_type_takes(
    name: str, registry: DataSourceTypeRegistry
) -> None:
    known = registry.describe(name)
    found = list(with_canaries(known))
    assert {one.place for one in found} == SECRETS[name]
    for one in found:
        assert not problems_of(known, one.document)
        assert one.needle in str(one.document[one.place])


@pytest.mark.parametrize("name", ["api", "csv", "json", "mysql", "postgres"])
def test_each_type_has_an_example_that_fits(name: str, registry: DataSourceTypeRegistry) -> None:
    known = registry.describe(name)
    assert examples_of(known)
    assert not [problem for example in examples_of(known) for problem in problems_of(known, example)]


def led_to_a_server(known: RegisteredType) -> dict[str, object]:
    server = RunningServer()
    server.port = 7000
    return document_for_server(known, server) or {}


def test_a_type_with_host_and_port_and_one_with_an_address_are_led_to_a_server(
    registry: DataSourceTypeRegistry,
) -> None:
    database = led_to_a_server(registry.describe("postgres"))
    assert (database["host"], database["port"], database["tls_mode"]) == ("127.0.0.1", 7000, "disable")
    assert led_to_a_server(registry.describe("api"))["url"] == "http://127.0.0.1:7000/"


@pytest.mark.parametrize(
    "text",
    ["it is s3cret/+é", "s3cret%2F%2B%C3%A9", '"s3cret/+\\u00e9"', "czNjcmV0LyvDqQ==", "7333637265742f2bc3a9"],
)
def test_a_secret_is_found_in_every_spelling(text: str) -> None:
    assert is_in("s3cret/+é", text)
    assert not is_in("another", text)
