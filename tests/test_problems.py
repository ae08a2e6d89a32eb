"""Problems repeat nothing of what was sent, and point at where it was."""

import json
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from support.types import DEEP, codes, document, make_type, problems
from wellhead.catalog.documents import read_new
from wellhead.errors import MAX_PROBLEMS, InputError

SENT = "QXsentQX"
ODD = st.recursive(
    st.sampled_from([SENT, f"{SENT}\0", 5, 5.5, True, None, 10**60, "", f"https://{SENT}@h/", f"/{SENT}/../x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["ref", "is_set", "host", "kind", "password"]), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = sorted(DEEP.model.model_fields)


def told(type_name: str, **fields: Any) -> str:
    return json.dumps(problems(type_name, **fields), default=repr)


@given(st.dictionaries(st.sampled_from(FIELDS), ODD, max_size=6))
@settings(max_examples=250, deadline=None)
def test_L_01_no_error_repeats_a_value_that_was_sent(fields: dict[str, Any]) -> None:
    assert SENT not in told("deep", **fields)


@given(st.sampled_from(["mydb", "web", "text"]), st.data())
@settings(max_examples=250, deadline=None)
def test_L_01_no_error_of_a_family_repeats_a_value(type_name: str, data: st.DataObject) -> None:
    names = sorted(name for name in _fields_of(type_name) if name != "type")
    fields = data.draw(st.dictionaries(st.sampled_from(names), ODD, max_size=6))
    assert SENT not in told(type_name, **fields)


def _fields_of(type_name: str) -> set[str]:
    from support.types import SHAPES

    return {*SHAPES[type_name].model.model_fields, "connection_string"}


def test_L_01_a_missing_field_does_not_echo_the_others() -> None:
    found = problems("mydb", host=None, password=SENT)
    assert found == [{"pointer": "/host", "code": "wrong_type", "message": "Must be a string."}]


@pytest.mark.parametrize(("count", "is_compared"), [(1, True), (10_000, False)])
def test_G_15_thousands_of_unknown_fields_are_not_compared_with_those_that_are_known(
    count: int, is_compared: bool
) -> None:
    found = problems("mydb", **{f"passwor{number}": 1 for number in range(count)})
    assert {item["code"] for item in found} == {"unknown_field"}
    assert len(found) == min(count, MAX_PROBLEMS)
    assert all(("hint" in item) is is_compared for item in found)


@pytest.mark.parametrize("value", [["QXsentQX"], {"value": "QXsentQX"}, {"QXsentQX": 1}, {"ref": "QXsentQX"}])
def test_L_02_a_secret_of_the_wrong_form_is_not_echoed(value: object) -> None:
    text = told("deep", password=value, tokens={"k": value}, auth={"kind": "basic", "user": 5, "password": value})
    assert SENT not in text
    assert '"/auth/password"' in text


@pytest.mark.parametrize("value", ["raise value", "raise key"])
def test_L_03_what_a_rule_of_the_plugin_raises_is_not_told(value: str) -> None:
    found = problems("deep", note=value)
    assert [problem["code"] for problem in found] == ["value_error"]
    assert value not in str(found)


@pytest.mark.parametrize(
    ("kind", "context", "code"),
    [
        ("too_short", {}, "too_short"),
        ("string_too_long", {"max_length": SENT}, "too_long"),
        ("greater_than", {}, "out_of_range"),
        ("my_own", {"x": SENT}, "value_error"),
        ("auth_failed", {"x": SENT}, "auth_failed"),
        ("union_tag_invalid", {"discriminator": "'kind'"}, "not_allowed"),
    ],
)
def test_L_03_an_error_that_a_plugin_made_itself_is_told_by_its_code_only(kind: Any, context: Any, code: str) -> None:
    def fail(value: str) -> str:
        raise PydanticCustomError(kind, f"{SENT} is wrong", context)

    shape = make_type(text=Annotated[str, AfterValidator(fail)]).shape
    with pytest.raises(InputError) as caught:
        read_new(shape, {"name": "n", "type": "mine", "text": SENT})
    assert caught.value.common_code == code
    assert SENT not in f"{caught.value} {caught.value.problems}"


def test_L_04_a_misspelt_field_is_named_with_the_one_that_was_meant_and_without_its_value() -> None:
    assert problems("deep", pasword=SENT) == [
        {
            "pointer": "/pasword",
            "code": "unknown_field",
            "message": "There is no field of this name.",
            "hint": "Did you mean 'password'?",
        }
    ]


@pytest.mark.parametrize("length", [8, 63, 64, 65, 200])
def test_L_04_an_unknown_key_that_is_a_secret_is_not_named(length: int) -> None:
    value = ("QXsecretQX" * 30)[:length]
    found = told("deep", password=value, **{value: 1}, labels={value: 5}, options={"a": 1})
    assert value[:8] not in found
    assert '"unknown_field"' in found


def test_L_04_a_nested_key_that_is_a_secret_is_not_named() -> None:
    assert SENT not in told("deep", tokens={"k": SENT}, proxy={"host": "h", SENT: 1}, proxies={SENT: {"host": 5}})


def test_a_secret_that_has_the_name_of_a_field_does_not_hide_where_a_problem_is() -> None:
    assert codes("mydb", password="port", port=0) == {"/port": "out_of_range"}


def test_L_04_an_unknown_key_is_cut() -> None:
    (problem,) = problems("deep", **{"k" * 5000: 1})
    assert problem["pointer"] == "/" + "k" * 64


def test_every_problem_is_told_at_once_and_once() -> None:
    found = problems("deep", name=5, host="a b", count="x", unknown=1, proxy={"hst": "h"}, tags=[1, "a", 2])
    pointers = [problem["pointer"] for problem in found]
    assert sorted(pointers) == [
        "/count", "/host", "/name", "/proxy/host", "/proxy/hst", "/tags/0", "/tags/2", "/unknown"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("auth", "found"),
    [
        ({"kind": "nope", "password": "p"}, {"/auth/kind": "not_allowed"}),
        ({"password": "p"}, {"/auth/kind": "required"}),
        ({"kind": 5}, {"/auth/kind": "not_allowed"}),
        ({"kind": "basic", "password": "p"}, {"/auth/user": "required"}),
        ({"kind": "basic"}, {"/auth/user": "required", "/auth/password": "required"}),
        ({"kind": "bearer", "token": "t", "user": "u"}, {"/auth/user": "unknown_field"}),
        ({"kind": "bearer", "token": "t", "bearer": {"x": 1}}, {"/auth/bearer": "unknown_field"}),
        ({"kind": "bearer", "token": ""}, {"/auth/token": "secret_empty"}),
        (5, {"/auth": "wrong_type"}),
        ([], {"/auth": "wrong_type"}),
        ({}, {"/auth/kind": "required"}),
    ],
)
def test_a_pointer_into_a_union_is_one_of_the_document(auth: object, found: dict[str, str]) -> None:
    assert codes("deep", auth=auth) == found


def test_an_unknown_form_of_a_union_is_answered_with_those_that_there_are() -> None:
    (problem,) = problems("deep", auth={"kind": SENT})
    assert problem["allowed"] == ["basic", "bearer"]


@pytest.mark.parametrize("value", [{"a": 1}, [1], None, 1.5])
def test_a_union_of_plain_values_is_pointed_at_as_a_whole(value: object) -> None:
    (problem,) = problems("deep", either=value)
    assert (problem["pointer"], problem["code"]) == ("/either", "wrong_type")


@given(st.dictionaries(st.sampled_from(FIELDS), ODD, max_size=5))
@settings(max_examples=150, deadline=None)
def test_every_pointer_leads_into_the_document_or_to_a_field_that_is_missing(fields: dict[str, Any]) -> None:
    sent = document("deep", **fields)
    for problem in problems("deep", **fields):
        *parents, last = problem["pointer"].split("/")[1:] or [""]
        node: Any = sent
        for part in parents:
            node = node[int(part)] if isinstance(node, list) else node[part]
        assert last == "" or isinstance(node, dict | list)


def test_dates_and_instants_are_not_confused() -> None:
    from datetime import date, datetime

    shape = make_type(day=date, instant=datetime).shape
    with pytest.raises(InputError) as caught:
        read_new(shape, {"name": "n", "type": "mine", "day": True, "instant": True})
    messages = {problem.pointer: problem.message for problem in caught.value.problems}
    assert messages["/day"].startswith("Must be a date")
    assert messages["/instant"].startswith("Must be an instant")


def test_limits_are_told_from_the_schema() -> None:
    (problem,) = problems("mydb", port=0)
    assert problem == {"pointer": "/port", "code": "out_of_range", "message": "Must be at least 1."}


def test_of_thousands_of_unknown_keys_the_first_are_told() -> None:
    found = problems("deep", **{f"pasword{number:05}": 1 for number in range(3000)})
    assert [problem["pointer"] for problem in found] == [f"/pasword{number:05}" for number in range(MAX_PROBLEMS)]
