"""The types as they are shown."""

import json

import pytest
from jsonschema import Draft202012Validator

import wellhead
from support.types import MINIMAL, ApiSource, DatabaseSource, DeepSource, FileSource
from wellhead.catalog.types import INSTALL_HINT, type_detail, type_items, type_list
from wellhead.codes import CODES
from wellhead.errors import UnknownTypeError
from wellhead.model.check_code import CheckCode
from wellhead.model.extension import DataSourceType
from wellhead.plugins.loader import load_plugins
from wellhead.plugins.registry import DataSourceTypeRegistry, describe
from wellhead.plugins.reports import PluginReport

KEYS = {
    "name",
    "title",
    "description",
    "state",
    "reason",
    "remedy",
    "distribution",
    "version",
    "load_ms",
    "capabilities",
    "parameters",
    "icon",
    "docs_url",
}


class Validator(wellhead.Validator[DeepSource]):
    async def validate(self, config: DeepSource, context: wellhead.ValidationContext) -> None:
        """Check nothing."""


@pytest.fixture
def registry() -> DataSourceTypeRegistry:
    registry = DataSourceTypeRegistry()
    registry.add(describe(DataSourceType(DeepSource, Validator)))
    for model in (DatabaseSource, ApiSource, FileSource):
        registry.add(describe(DataSourceType(model)))
    return registry


def test_every_item_has_the_keys_of_the_contract_and_they_are_sorted(registry: DataSourceTypeRegistry) -> None:
    reports = [
        PluginReport("zz", "dist-z", "1", "broken", reason="It raised.", remedy="Remove it."),
        PluginReport("two", "dist-2", "1", "conflict", types=("aa", "web2"), reason="r", remedy="r"),
        PluginReport("fine", "dist-f", "1", "ready", types=("deep",)),
    ]
    items = type_items(registry, reports)
    assert [item["name"] for item in items] == ["aa", "deep", "mydb", "text", "web", "web2", "zz"]
    assert {frozenset(item) for item in items} == {frozenset(KEYS)}
    assert [item["state"] for item in items] == ["conflict", *["ready"] * 4, "conflict", "broken"]


def test_capabilities_say_what_a_type_can_do(registry: DataSourceTypeRegistry) -> None:
    items = {item["name"]: item["capabilities"] for item in type_items(registry, [])}
    assert items == {"deep": ["validate"], "mydb": ["connection_string"], "text": [], "web": []}


@pytest.mark.parametrize("name", MINIMAL)
def test_the_schema_of_a_type_stands_alone_and_takes_its_documents(name: str, registry: DataSourceTypeRegistry) -> None:
    schema = json.loads(json.dumps(type_detail(registry, name)["schema"]))
    assert "#/components" not in json.dumps(schema)
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(MINIMAL[name])


def test_the_examples_of_the_installed_types_fit_their_schemas() -> None:
    installed = DataSourceTypeRegistry()
    load_plugins(installed)
    for name in installed.list_types():
        detail = type_detail(installed, name)
        for example in detail["examples"]:
            Draft202012Validator(detail["schema"]).validate(example)
            installed.get_type(name)[0].model_validate_json(json.dumps(example), strict=True)


def test_an_unknown_type_has_no_detail(registry: DataSourceTypeRegistry) -> None:
    with pytest.raises(UnknownTypeError, match="installed: deep, mydb, text, web"):
        type_detail(registry, "nope")
    assert UnknownTypeError.code in CODES


def test_one_item_cannot_change_the_next(registry: DataSourceTypeRegistry) -> None:
    type_items(registry, [])[0]["parameters"][0]["title"] = "changed"
    assert type_items(registry, [])[0]["parameters"][0]["title"] == "Host"


def test_where_there_is_no_type_the_list_says_what_to_install(registry: DataSourceTypeRegistry) -> None:
    assert type_list([]) == {"items": [], "hint": INSTALL_HINT}
    assert type_list(type_items(registry, [])).keys() == {"items"}


def test_the_detail_has_a_types_own_codes_and_examples() -> None:
    odd = CheckCode("It is odd.", cause="Somebody added one.", remedy="Add another one.")
    registry = DataSourceTypeRegistry()
    example = {"path": "orders.txt"}
    registry.add(describe(DataSourceType(FileSource, codes={"text_odd": odd}, examples=[example])))

    detail = type_detail(registry, "text")

    assert detail["codes"] == {
        "text_odd": {"title": "It is odd.", "cause": "Somebody added one.", "remedy": "Add another one."}
    }
    assert detail["examples"] == [{"name": "my-text", "type": "text", "path": "orders.txt"}]
    assert "codes" not in type_items(registry, [])[0]
