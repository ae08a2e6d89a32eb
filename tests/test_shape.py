"""The shape of a model: where its secrets are, and what they are bound to."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

import wellhead
from support.types import DEEP, Basic, Bearer, Proxy, Strict, make_model
from wellhead import Secret
from wellhead.errors import TypeRefusedError
from wellhead.model.extension import DataSourceType
from wellhead.model.markers import is_harmless, is_multi_line
from wellhead.model.pointer import from_pointer, place, to_pointer
from wellhead.model.shape import PLAIN, SECRET, shape_of

FULL = {
    "name": "n",
    "password": "a",
    "tokens": {"k": "b", "x/y": "c"},
    "proxy": {"host": "h", "password": "d"},
    "proxies": {"one": {"host": "h", "password": "e"}, "two": {"host": "h"}},
    "auth": {"kind": "basic", "user": "u", "password": "f"},
    "options": {"password": "not a secret"},
    "tags": ["a"],
}


def test_secrets_are_found_at_any_depth_of_models_unions_and_maps() -> None:
    assert {to_pointer(path): value for path, value in DEEP.secrets(FULL)} == {
        "/password": "a",
        "/tokens/k": "b",
        "/tokens/x~1y": "c",
        "/proxy/password": "d",
        "/proxies/one/password": "e",
        "/auth/password": "f",
    }


def test_what_is_left_without_the_secrets_is_all_the_rest() -> None:
    assert DEEP.without_secrets(FULL) == {
        "name": "n",
        "tokens": {},
        "proxy": {"host": "h"},
        "proxies": {"one": {"host": "h"}, "two": {"host": "h"}},
        "auth": {"kind": "basic", "user": "u"},
        "options": {"password": "not a secret"},
        "tags": ["a"],
    }
    assert FULL["password"] == "a"


@pytest.mark.parametrize("value", [None, 5, "text", [], [{"password": "x"}]])
def test_a_document_of_another_form_is_gone_through_without_harm(value: Any) -> None:
    document = {"tokens": value, "proxy": value, "auth": value, "proxies": {"a": value}}
    assert list(DEEP.secrets(document)) == []
    assert DEEP.without_secrets(document) == document


def test_secrets_are_bound_to_all_fields_but_secrets_and_harmless_ones() -> None:
    own = set(DEEP.model.model_fields) - set(wellhead.DataSourceConfig.model_fields)
    assert DEEP.bound == own - {"password", "retries"}


def test_what_stands_at_a_path_is_known() -> None:
    assert DEEP.node_at(("password",)) is SECRET
    assert DEEP.node_at(("proxies", "any", "password")) is SECRET
    assert DEEP.node_at(("proxies", "any", "host")) is PLAIN
    assert DEEP.node_at(("nope", "deeper")) is PLAIN


@pytest.mark.parametrize(
    "annotation",
    [
        list[Secret],
        tuple[Secret, ...],
        set[Secret],
        list[Proxy],
        dict[str, list[Secret]],
        list[dict[str, Secret]],
        list[Basic | Bearer] | None,
        tuple[str, Secret],
        Annotated[list[Annotated[Secret, "x"]], Field()],
        frozenset[Secret],
    ],
)
def test_a_secret_in_a_list_is_refused_because_it_has_no_identity(annotation: Any) -> None:
    with pytest.raises(TypeRefusedError, match="Use a map") as caught:
        shape_of(make_model(things=annotation))
    assert caught.value.rule == "secret-in-list"


@pytest.mark.parametrize("annotation", [Secret | str, Secret | int | None, Proxy | str, Proxy | dict[str, Secret]])
def test_a_place_is_a_secret_in_all_forms_of_its_value_or_in_none(annotation: Any) -> None:
    with pytest.raises(TypeRefusedError) as caught:
        shape_of(make_model(thing=annotation))
    assert caught.value.rule == "ambiguous-secret"


def test_a_union_of_models_that_disagree_about_a_secret_is_refused() -> None:
    class Open(Strict):
        kind: Literal["open"]
        password: str

    with pytest.raises(TypeRefusedError, match=r"auth\.password is a secret in one form") as caught:
        shape_of(make_model(auth=Basic | Open))
    assert caught.value.rule == "ambiguous-secret"


@pytest.mark.parametrize("key", [int, Literal["a", 1], bool, Annotated[int, Field(ge=1)]])
def test_keys_of_a_map_of_secrets_are_texts(key: Any) -> None:
    with pytest.raises(TypeRefusedError) as caught:
        shape_of(make_model(things=dict[key, Secret]))
    assert caught.value.rule == "secret-map-key"


def test_a_nested_model_that_takes_unknown_fields_is_refused() -> None:
    class Loose(BaseModel):
        host: str

    with pytest.raises(TypeRefusedError, match="takes unknown fields") as caught:
        shape_of(make_model(thing=Loose))
    assert caught.value.rule == "nested-model-not-strict"


def test_a_model_that_holds_itself_is_refused() -> None:
    class Node(Strict):
        left: "Node | None" = None
        right: "Node | None" = None

    with pytest.raises(TypeRefusedError, match="fixed depth") as caught:
        shape_of(make_model(node=Node | None))
    assert caught.value.rule == "recursive-model"


@pytest.mark.parametrize(
    ("annotation", "harmless"),
    [
        (Annotated[int, wellhead.Harmless()], True),
        (Annotated[int, wellhead.Harmless], True),
        (Annotated[int, wellhead.Harmless()] | None, True),
        (Annotated[int | None, wellhead.Harmless()], True),
        (tuple[str, Annotated[int, wellhead.Harmless()]], False),
        (dict[str, Annotated[int, wellhead.Harmless()]], False),
        (Annotated[int, wellhead.Harmless()] | str, False),
        (int, False),
    ],
)
def test_only_a_mark_on_the_whole_field_makes_it_harmless(annotation: Any, harmless: bool) -> None:
    model = make_model(thing=annotation)
    assert is_harmless(model.model_fields["thing"]) is harmless
    assert ("thing" in shape_of(model).bound) is not harmless


def test_a_mark_for_line_breaks_counts_at_any_depth() -> None:
    model = make_model(
        one=Annotated[str, wellhead.MultiLine()] | None, two=dict[str, Annotated[str, wellhead.MultiLine]], three=str
    )
    assert [is_multi_line(model.model_fields[name]) for name in ("one", "two", "three")] == [True, True, False]


def test_defaults_are_json() -> None:
    from datetime import timedelta
    from enum import Enum

    class Color(Enum):
        RED = "red"

    model = make_model(a=(Color, Color.RED), b=(timedelta, timedelta(seconds=5)), c=(Proxy, Proxy(host="h")), d=int)
    assert shape_of(model).defaults == {
        "a": "red",
        "b": "PT5S",
        "c": {"host": "h", "notes": "", "password": None},
    }


def test_pointers_and_paths_are_two_ways_to_say_the_same() -> None:
    path = ("a/b", "~1", "", "c")
    document: dict[str, Any] = {}
    place(document, path, 5)
    assert to_pointer(path) == "/a~1b/~01//c"
    assert from_pointer(to_pointer(path)) == path
    assert document == {"a/b": {"~1": {"": {"c": 5}}}}


def test_the_type_record_derives_its_facts_from_the_model() -> None:
    record = DataSourceType(make_model("two-words"))
    assert record.get_type_name() == "two-words"
    assert record.get_model_class() is record.model
    assert record.get_validator_class() is None
    assert record.get_connection_parameters() == []
