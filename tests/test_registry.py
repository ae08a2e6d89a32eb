"""The registry, and the rules that a type keeps."""

import dataclasses
from typing import Annotated, Any, ClassVar, Literal

import pydantic
import pytest
from pydantic import ConfigDict, Field, SecretStr, WithJsonSchema
from typing_extensions import TypedDict

import wellhead
from support.types import DatabaseSource, DeepSource, FileSource, Proxy, Strict, make_model, make_type
from wellhead import Secret
from wellhead.errors import TypeRefusedError, UnknownTypeError
from wellhead.model.extension import DataSourceType
from wellhead.plugins.registry import DataSourceTypeRegistry, describe


class Validator(wellhead.Validator[DeepSource]):
    async def validate(self, config: DeepSource, context: wellhead.ValidationContext) -> None:
        """Check nothing."""


class Extension:
    """A type by its four methods, without any class of Wellhead's."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {"name": "deep", "model": DeepSource, "validator": Validator, "parameters": [], **answers}

    def get_type_name(self) -> Any:
        return self.answers["name"]

    def get_model_class(self) -> Any:
        return self.answers["model"]

    def get_validator_class(self) -> Any:
        return self.answers["validator"]

    def get_connection_parameters(self) -> Any:
        return self.answers["parameters"]


def rule_of(model: Any, **record: Any) -> str:
    with pytest.raises(TypeRefusedError) as caught:
        describe(DataSourceType(model, **record))
    return caught.value.rule


def test_a_type_that_is_registered_is_found_and_listed() -> None:
    registry = DataSourceTypeRegistry()
    registry.register_type("text", FileSource, None)
    registry.register_type("deep", DeepSource, Validator)
    assert registry.get_type("deep") == (DeepSource, Validator)
    assert registry.list_types() == ["deep", "text"]
    assert registry.find("nope") is None


def test_two_registries_know_nothing_of_each_other() -> None:
    one, other = DataSourceTypeRegistry(), DataSourceTypeRegistry()
    one.register_type("deep", DeepSource, None)
    assert other.list_types() == []


def test_an_unknown_type_is_answered_with_those_that_there_are() -> None:
    registry = DataSourceTypeRegistry()
    with pytest.raises(UnknownTypeError, match="pip install"):
        registry.get_type("deep")
    registry.register_type("deep", DeepSource, None)
    with pytest.raises(UnknownTypeError, match="installed: deep") as caught:
        registry.get_type("hunter2")
    assert caught.value.installed == ("deep",)
    assert "hunter2" not in caught.value.message


def test_G_03_a_name_is_taken_once() -> None:
    registry = DataSourceTypeRegistry()
    registry.register_type("deep", DeepSource, None)
    with pytest.raises(TypeRefusedError, match="There is a type 'deep' already") as caught:
        registry.register_type("deep", DeepSource, None)
    assert caught.value.rule == "name-taken"


def test_a_type_is_registered_under_its_own_name() -> None:
    with pytest.raises(TypeRefusedError) as caught:
        DataSourceTypeRegistry().register_type("shallow", DeepSource, None)
    assert caught.value.rule == "name-mismatch"


@pytest.mark.parametrize("name", ["ab", "a1", "postgres", "my-type-x2", "a" * 32])
def test_G_03_a_name_of_the_contract_is_taken(name: str) -> None:
    assert make_type(name).name == name


@pytest.mark.parametrize(
    "name", ["", "a", "A", "1a", "a_b", "a-", "-a", "a--b", "a-1", "a" * 33, "ä1", "a b", "ab\n", "../x"]
)
def test_G_03_another_name_is_refused(name: str) -> None:
    assert rule_of(make_model(name)) == "type-name"


def test_the_record_gives_title_and_description_where_the_author_does_not() -> None:
    described = describe(DataSourceType(DatabaseSource))
    assert (described.title, described.description) == ("Mydb", "A database.")
    assert describe(DataSourceType(DatabaseSource, title="DB", description="One.")).title == "DB"
    assert make_type("two-words").title == "Two words"
    assert make_type().description is None


@pytest.mark.parametrize(
    "record",
    [
        {"title": 5},
        {"description": b"x"},
        {"icon": object()},
        {"docs_url": "javascript:alert(1)"},
        {"docs_url": "www.x"},
        {"errors": None},
        {"errors": [("A", "b")]},
        {"errors": {"A": 5}},
        {"errors": {ValueError: "b"}},
    ],
)
def test_G_05_a_record_of_other_values_is_refused(record: dict[str, Any]) -> None:
    assert rule_of(DeepSource, **record) == "record"


@pytest.mark.parametrize("model", [None, 5, "DeepSource", object, Proxy, DeepSource(name="n")])
def test_G_05_a_model_that_is_none_is_refused(model: Any) -> None:
    assert rule_of(model) == "model-base"


@pytest.mark.parametrize("validator", [5, "Validator", object()])
def test_G_05_a_validator_that_cannot_be_called_is_refused(validator: Any) -> None:
    assert rule_of(DeepSource, validator=validator) == "validator-not-callable"


@pytest.mark.parametrize(
    "parameters",
    [
        None,
        "x",
        {"name": "host"},
        ["host"],
        [5],
        [{}],
        [{"name": 5}],
        [{"name": "nope"}],
        [{"name": ["host"]}],
        [{"name": "host", "default": object()}],
        [{"name": "count", "default": float("nan")}],
        [{"name": "host", 5: {1, 2}}],
    ],
)
def test_G_05_parameters_of_another_form_are_refused(parameters: Any) -> None:
    with pytest.raises(TypeRefusedError) as caught:
        describe(Extension(parameters=parameters))
    assert caught.value.rule == "parameters"


def test_parameters_that_an_author_gives_are_completed_from_the_model() -> None:
    given = [
        {"name": "host", "title": "Server"},
        {"name": "password", "secret": False, "default": "x", "examples": ["x"]},
    ]
    host, password = describe(Extension(parameters=given)).parameters
    assert (host["title"], host["type"], host["secret"]) == ("Server", "string", False)
    assert (password["secret"], password["default"], password["examples"]) == (True, None, [])


@pytest.mark.parametrize("name", [None, 5, "", "Deep", "other"])
def test_G_05_a_name_that_the_model_does_not_have_is_refused(name: Any) -> None:
    with pytest.raises(TypeRefusedError) as caught:
        describe(Extension(name=name))
    assert caught.value.rule in {"type-name", "type-not-literal"}


def test_the_type_of_a_model_is_one_literal() -> None:
    class Plain(wellhead.DataSourceConfig):
        """It has a type like any other text."""

    class Two(wellhead.DataSourceConfig):
        type: Literal["aa", "bb"] = "aa"

    assert rule_of(Plain) == rule_of(Two) == rule_of(wellhead.DataSourceConfig) == "type-not-literal"


@pytest.mark.parametrize("config", [{"extra": "allow"}, {"extra": "ignore"}, {"frozen": False}])
def test_G_06_a_model_that_takes_more_or_changes_is_refused(config: Any) -> None:
    class Loose(DeepSource):
        model_config = config

    assert rule_of(Loose) == "model-config"


@pytest.mark.parametrize(
    "name",
    [
        "state",
        "health",
        "owner",
        "etag",
        "links",
        "meta",
        "workspace",
        "schema_version",
        "created_by",
        "updated_by",
        "connection_string",
    ],
)
def test_a_reserved_name_is_refused(name: str) -> None:
    assert rule_of(make_model(**{name: (str, "")})) == "reserved-name"


def test_a_name_that_begins_with_an_underscore_is_refused() -> None:
    class Model(wellhead.DataSourceConfig):
        type: Literal["model"] = "model"
        _mood: str = "fine"

    assert rule_of(Model) == "reserved-name"


@pytest.mark.parametrize(
    ("name", "annotation"),
    [("name", str), ("description", int), ("labels", dict[str, Any]), ("revision", str), ("id", str)],
)
def test_a_base_field_that_is_redefined_is_refused(name: str, annotation: Any) -> None:
    assert rule_of(make_model(**{name: (annotation, None)})) == "base-field"


def test_a_base_field_that_is_redefined_by_something_in_between_is_refused() -> None:
    class Between(wellhead.DataSourceConfig):
        description: str | None = Field(None, max_length=10)

    class Below(Between):
        type: Literal["below"] = "below"

    assert rule_of(Below) == "base-field"


@pytest.mark.parametrize("alias", [{"alias": "x"}, {"validation_alias": "x"}, {"serialization_alias": "x"}])
def test_G_06_a_field_with_another_name_is_refused_in_nested_models_too(alias: dict[str, str]) -> None:
    class Nested(Strict):
        host: str = Field(**alias)  # type: ignore[call-overload]  # one of the three kinds of alias

    assert rule_of(make_model(thing=(str, Field("", **alias)))) == "alias"  # type: ignore[call-overload]  # as above
    assert rule_of(make_model(thing=dict[str, Nested])) == "alias"


def test_G_06_fields_that_would_not_come_back_from_the_store_are_refused() -> None:
    class Computed(Strict):
        @pydantic.computed_field  # type: ignore[prop-decorator]  # as pydantic's documentation has it
        @property
        def size(self) -> int:
            return 5

    assert rule_of(make_model(thing=Computed)) == "computed-field"
    assert rule_of(make_model(thing=(str, Field("", exclude=True)))) == "excluded-field"


@pytest.mark.parametrize("annotation", [set[str], frozenset[int], dict[str, set[str]], set])
def test_G_06_a_set_is_refused_because_its_items_have_no_order_to_be_compared_in(annotation: object) -> None:
    assert rule_of(make_model(thing=(annotation, Field(...)))) == "set"


class _Hiding(TypedDict):
    password: Secret


@dataclasses.dataclass
class _HidingToo:
    password: Secret


class _Deeper(Strict):
    known: Secret
    hidden: _HidingToo


@pytest.mark.parametrize(
    "annotation",
    [_Hiding, _HidingToo, list[_Hiding], dict[str, _HidingToo], SecretStr, SecretStr | None, _Deeper, _Hiding | None],
)
def test_G_06_C_01_a_secret_that_core_cannot_tell_apart_is_refused(annotation: Any) -> None:
    assert rule_of(make_model(thing=annotation)) == "hidden-secret"


class _WithDefault(Strict):
    password: Secret = Secret("hunter2")


@pytest.mark.parametrize(
    ("annotation", "default"),
    [
        (Secret, Secret("hunter2")),
        (Secret, "hunter2"),
        (Secret | None, Secret.from_reference("env:A")),
        (dict[str, Secret], {"k": Secret("hunter2")}),
        (Proxy, Proxy(host="h", password=Secret("hunter2"))),
        (dict[str, Proxy], {"p": Proxy(host="h", password=Secret("hunter2"))}),
        (_WithDefault | None, None),
        (dict[str, _WithDefault], {}),
    ],
)
def test_G_06_a_secret_with_a_default_is_refused(annotation: Any, default: Any) -> None:
    assert rule_of(make_model(thing=(annotation, default))) == "default-secret"


@pytest.mark.parametrize(
    ("annotation", "default"), [(Secret | None, None), (dict[str, Secret], {}), (Proxy, Proxy(host="h"))]
)
def test_a_default_without_a_secret_in_it_is_taken(annotation: Any, default: Any) -> None:
    assert make_type(thing=(annotation, default)).shape.secret_fields() == {"thing"}


@pytest.mark.parametrize(
    ("annotation", "default"),
    [
        (wellhead.Port, 0),
        (str, None),
        (int, "5"),
        (wellhead.Host, "a b"),
        (Literal["a"], "b"),
        (str, "a\0"),
        (float, float("inf")),
        (Proxy, {"hst": "h"}),
        (int, 2**60),
    ],
)
def test_G_06_a_default_that_the_field_does_not_take_is_refused(annotation: Any, default: Any) -> None:
    assert rule_of(make_model(thing=(annotation, default))) == "default-value"


class _NoSchema:
    """A class that pydantic knows nothing of."""


def test_G_06_a_field_without_a_schema_is_refused() -> None:
    class Odd(wellhead.DataSourceConfig):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        type: Literal["odd"] = "odd"
        thing: _NoSchema

    assert rule_of(Odd) == "no-schema"


@pytest.mark.parametrize("condition", [{"visible_when": {"nope": "x"}}, {"required_when": {"count": 1, "nope": 2}}])
def test_a_condition_on_a_field_that_there_is_not_is_refused(condition: Any) -> None:
    assert rule_of(make_model(count=(int, 1), thing=(str | None, wellhead.field(None, **condition)))) == "condition"


def test_a_condition_that_core_would_not_hold_is_refused() -> None:
    class Nested(Strict):
        mode: str = "a"
        thing: str = wellhead.field("", visible_when={"mode": "b"})

    assert rule_of(make_model(count=(int, 1), thing=(str, wellhead.field(visible_when={"count": 2})))) == "condition"
    assert rule_of(make_model(thing=Nested | None)) == "condition"


def test_the_families_by_themselves_are_no_types() -> None:
    families: ClassVar = (wellhead.DatabaseDataSource, wellhead.FileDataSource, wellhead.APIDataSource)
    assert {rule_of(family) for family in families} == {"type-not-literal"}


@pytest.mark.parametrize("reference", ["#/$defs/Nothing", "https://example.com/schema.json", "#"])
def test_a_reference_that_leads_nowhere_is_refused(reference: str) -> None:
    annotation = Annotated[str, WithJsonSchema({"$ref": reference})]
    assert rule_of(make_model(thing=annotation)) == "unresolved-reference"


def test_a_value_that_looks_like_a_reference_is_none() -> None:
    examples = wellhead.field({}, examples=[{"$ref": "#/nothing"}])
    described = describe(DataSourceType(make_model(thing=(dict[str, str], examples))))
    assert described.parameters[0]["examples"] == [{"$ref": "#/nothing"}]
