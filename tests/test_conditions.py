"""Fields that apply, or are required, only while other fields have certain values."""

from typing import Any, Literal

import pytest

import wellhead
from support.types import ApiSource, make_type
from wellhead import Secret
from wellhead.catalog.documents import read_new
from wellhead.errors import InputError
from wellhead.model.conditions import holds

SHAPE = make_type(
    mode=(Literal["off", "basic", "full"], "off"),
    secure=(bool, False),
    user=(str | None, wellhead.field(None, required_when={"mode": ["basic", "full"]})),
    password=(Secret | None, wellhead.field(None, required_when={"mode": "full", "secure": True})),
    level=(int, wellhead.field(3, visible_when={"mode": "full"})),
    note=(str, wellhead.field("", required_when={"secure": True})),
).shape


def codes(**fields: Any) -> dict[str, str]:
    try:
        read_new(SHAPE, {"name": "n", "type": "mine", **fields})
    except InputError as error:
        return {problem.pointer: problem.code for problem in error.problems}
    return {}


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, {}),
        ({"mode": "basic"}, {"/user": "required"}),
        ({"mode": "basic", "user": None}, {"/user": "required"}),
        ({"mode": "basic", "user": ""}, {"/user": "required"}),
        ({"mode": "basic", "user": "u"}, {}),
        ({"mode": "full", "user": "u"}, {}),
        ({"mode": "full", "user": "u", "secure": True, "note": "n"}, {"/password": "required"}),
        ({"mode": "full", "user": "u", "secure": True, "note": "n", "password": "p"}, {}),
        ({"secure": True}, {"/note": "required"}),
    ],
)
def test_a_field_is_required_while_its_condition_holds(fields: dict[str, Any], found: dict[str, str]) -> None:
    assert codes(**fields) == found


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"level": 3}, {}),
        ({"level": 4}, {"/level": "not_applicable"}),
        ({"user": "u"}, {"/user": "not_applicable"}),
        ({"user": None}, {}),
        ({"password": "p"}, {"/password": "not_applicable"}),
        ({"password": "p", "mode": "full", "user": "u"}, {"/password": "not_applicable"}),
        ({"mode": "full", "user": "u", "level": 9}, {}),
    ],
)
def test_a_field_that_does_not_apply_keeps_its_default(fields: dict[str, Any], found: dict[str, str]) -> None:
    assert codes(**fields) == found


def test_a_condition_is_told_as_json_spells_its_values() -> None:
    shape = make_type(
        mode=(Literal["off", "full"], "off"),
        secure=(bool, False),
        note=(str, wellhead.field("", visible_when={"mode": "full", "secure": True})),
    ).shape
    with pytest.raises(InputError, match="only with mode 'full' and secure true"):
        read_new(shape, {"name": "n", "type": "mine", "note": "n"})


def test_all_that_a_condition_breaks_is_told_at_once() -> None:
    assert codes(mode="basic", secure=True, level=9) == {
        "/user": "required",
        "/note": "required",
        "/level": "not_applicable",
    }


def test_a_condition_holds_when_every_field_has_one_of_its_values() -> None:
    when = {"a": [1, 2], "b": ["x"]}
    assert holds(when, {"a": 2, "b": "x"})
    assert not holds(when, {"a": 3, "b": "x"})
    assert not holds(when, {"a": 1})
    assert holds({}, {})


def test_conditions_are_kept_by_a_type_that_derives_from_another() -> None:
    assert ApiSource.conditions.keys() >= {"token", "api_key_header", "scope"}
    assert ApiSource.conditions["token"].required_when == {"auth_type": ["bearer"]}
    assert ApiSource.conditions["scope"].required_when is None


def test_conditions_also_hold_for_a_type_that_an_author_derives_by_hand() -> None:
    class Narrow(ApiSource):
        type: Literal["narrow"] = "narrow"  # type: ignore[assignment]  # a type of its own, for this test

    with pytest.raises(ValueError, match="not_applicable"):
        Narrow(name="n", url="https://h", token=Secret("t"))
