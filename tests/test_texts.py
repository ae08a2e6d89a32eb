"""Rules for texts and numbers: control characters, names, and the key by which names are compared."""

import unicodedata
from typing import Annotated

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wellhead
from support.types import Strict, codes, make_type, problems
from wellhead.catalog.documents import read_new
from wellhead.errors import InputError
from wellhead.model.texts import name_key, spelled

CONTROLS = ["\x00", "\x07", "\x1b", "\x7f", "\x85", "\x9f"]
GOOD_NAMES = ["w", "w" * 100, "Größe 7", "売上", "a/b:c", "👩‍💻 laptop", "🏳️‍🌈", "🧔🏽‍♂️", "e\u0301", "\U00020000"]
BAD_NAMES = {
    "empty": "", "too long": "w" * 101, "space": " ", "leading space": " a", "trailing space": "a\u00a0",
    "control": "a\x07b", "line break": "a\nb", "bidi": "a\u202eb", "zero width": "a\u200bb", "non-joiner": "a\u200cb",
    "soft hyphen": "a\u00adb", "byte order mark": "\ufeffa", "line separator": "a\u2028b", "unassigned": "a\u0378b",
    "private": "a\ue000b", "joiner between letters": "a\u200db", "joiner at the end": "😀\u200d",
    "joiner at the start": "\u200d😀", "joiner after a letter": "a\u200d😀", "tag": "a\U000e0061b",
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_I_08_a_visible_name_is_taken_as_it_is(name: str) -> None:
    assert read_new(make_type().shape, {"name": name, "type": "mine"}).name == name


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES.keys())
def test_I_08_a_name_with_invisible_characters_is_refused(name: str) -> None:
    assert codes("deep", name=name) == {"/name": "name_syntax"}


@given(st.text(min_size=1, max_size=8))
@settings(max_examples=200, deadline=None)
def test_I_08_no_name_that_is_taken_has_a_control_or_unassigned_character(name: str) -> None:
    if unicodedata.is_normalized("NFC", name) and not codes("deep", name=name):
        assert not {unicodedata.category(character) for character in name} & {"Cc", "Cs", "Cn", "Co"}
        assert all(character == "\u200d" for character in name if unicodedata.category(character) == "Cf")


@pytest.mark.parametrize(
    ("one", "other"),
    [("Warehouse", "wareHOUSE"), ("Straße", "STRASSE"), ("ﬁle", "file"), ("Ⅷ", "viii"), ("é", "e\u0301"), ("Ａ", "a")],  # noqa: RUF001  # the look-alike is what is tested
)
def test_I_09_names_that_only_differ_in_case_or_form_are_the_same(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


def test_I_09_different_names_are_different() -> None:
    assert len({name_key(name) for name in ["a", "b", "a b", "á", "а"]}) == 5  # the last one is Cyrillic  # noqa: RUF001  # the look-alike is what is tested


@given(st.text(max_size=6))
@settings(max_examples=200, deadline=None)
def test_I_09_the_key_of_a_key_is_itself(name: str) -> None:
    assert name_key(name_key(name)) == name_key(name)


@pytest.mark.parametrize("control", CONTROLS)
def test_P_01_control_characters_are_refused_in_every_text_of_a_type(control: str) -> None:
    text = f"a{control}b"
    fields = {"tags": ["a", text], "options": {"x": [{"y": text}]}, "either": text, "note": text, "password": text}
    found = codes("deep", tokens={"k": text}, labels={"l": text}, description=text, **fields)
    assert set(found.values()) == {"control_character"}
    assert set(found) == {
        "/tags/1", "/options/x/0/y", "/either", "/note", "/password", "/tokens/k", "/labels/l", "/description"
    }  # fmt: skip


def test_P_01_control_characters_are_refused_in_nested_models_too() -> None:
    found = codes("deep", proxy={"host": "p", "password": "a\0b"}, proxies={"x": {"host": "p", "notes": "a\0b"}})
    assert found == {"/proxy/password": "control_character", "/proxies/x/notes": "control_character"}


def test_P_01_control_characters_are_refused_in_keys_of_maps() -> None:
    assert codes("deep", options={"a\0b": 1}) == {"/options": "control_character"}
    assert codes("deep", tokens={"a\nb": "secret"}) == {"/tokens": "control_character"}


def test_line_breaks_and_tabs_are_taken_where_the_field_is_marked_for_them() -> None:
    text = "first\r\n\tsecond\n"
    assert problems("deep", description=text, proxy={"host": "p", "notes": text}) == []
    assert codes("deep", note=text, proxies={"p": {"host": text}}) == {
        "/note": "control_character",
        "/proxies/p/host": "host_syntax",
    }


def test_a_mark_for_line_breaks_reaches_the_parts_of_a_field() -> None:
    shape = make_type(texts=dict[str, Annotated[str, wellhead.MultiLine()]]).shape
    fields = {"name": "n", "type": "mine"}
    assert read_new(shape, {**fields, "texts": {"a": "x\ny"}})
    with pytest.raises(InputError, match="/texts/a: The text has a control character"):
        read_new(shape, {**fields, "texts": {"a": "x\0y"}})


@pytest.mark.parametrize("number", [2**53, -(2**53), 10**300])
def test_I_05_integers_that_not_every_program_can_hold_are_refused(number: int) -> None:
    found = codes("deep", count=number, ratio=number, either=number, options={"a": [number]})
    assert {found[pointer] for pointer in ("/count", "/either", "/options/a/0")} == {"out_of_range"}
    assert codes("deep", count=2**53 - 1, either=1 - 2**53) == {}


def test_I_02_no_integer_becomes_an_infinity_in_a_field_for_fractions() -> None:
    assert codes("deep", ratio=10**350) == {"/ratio": "out_of_range"}


def test_control_characters_of_a_reference_or_a_kept_secret_are_not_looked_for() -> None:
    assert problems("deep", password={"ref": "env:PASSWORD"}, proxy={"host": "p", "password": None}) == []


@pytest.mark.parametrize("key", ["", "a b", "é", "a" * 64, "a:b", "a\n", "a~b"])
def test_a_label_key_that_is_none_is_refused(key: str) -> None:
    assert set(codes("deep", labels={key: "x"}).values()) == {"label_syntax"}


def test_labels_have_limits() -> None:
    assert problems("deep", labels={f"team/{number}.x_y-z": "v" * 200 for number in range(32)}) == []
    assert codes("deep", labels={str(number): "v" for number in range(33)}) == {"/labels": "too_many"}
    assert codes("deep", labels={"a": "v" * 201, "b": 5}) == {"/labels/a": "too_long", "/labels/b": "wrong_type"}


def test_nested_models_are_checked_in_lists_too() -> None:
    class Step(Strict):
        command: str

    shape = make_type(steps=list[Step]).shape
    with pytest.raises(InputError, match="/steps/1/command: The text has a control character"):
        read_new(shape, {"name": "n", "type": "mine", "steps": [{"command": "a"}, {"command": "a\0"}]})


@pytest.mark.parametrize(("value", "text"), [("a", "a"), (True, "true"), (None, "null"), (3, "3"), ("é", "é")])
def test_a_value_is_spelled_as_json_but_a_text_as_it_is(value: object, text: str) -> None:
    assert spelled(value) == text
