"""Connection strings are taken apart, by a strict parser of our own."""

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.canary import Canary
from support.types import DATABASE
from wellhead.catalog.documents import read_new
from wellhead.errors import ConnectionStringError, InputError
from wellhead.model.connection_string import take_apart

OPTIONS = {"sslmode": "tls_mode", "application_name": "application_name"}


def parts_of(text: Any, **fields: Any) -> dict[str, Any]:
    return take_apart({"connection_string": text, **fields}, schemes=("mydb", "my"), options=OPTIONS)


def refusal(text: Any, **fields: Any) -> ConnectionStringError:
    with pytest.raises(ConnectionStringError) as caught:
        parts_of(text, **fields)
    return caught.value


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("mydb://", {}),
        ("my://h", {"host": "h"}),
        ("MYDB://h/", {"host": "h"}),
        ("mydb://u@h:5/d", {"username": "u", "host": "h", "port": 5, "database": "d"}),
        ("mydb://u:p%40%2F%3A%25@h", {"username": "u", "password": "p@/:%", "host": "h"}),
        ("mydb://u:%C3%A9+@h", {"username": "u", "password": "é+", "host": "h"}),
        ("mydb://[2001:db8::1]:5/d%20e", {"host": "2001:db8::1", "port": 5, "database": "d e"}),
        (
            "mydb://h?sslmode=require&application_name=a%26b",
            {"host": "h", "tls_mode": "require", "application_name": "a&b"},
        ),
        ("mydb:///d?", {"database": "d"}),
        ("mydb://u:b:c@h", {"username": "u", "password": "b:c", "host": "h"}),
    ],
)
def test_a_connection_string_becomes_fields(text: str, parts: dict[str, Any]) -> None:
    assert parts_of(text) == parts


@given(*[st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10)] * 3, st.integers(0, 99999))
@settings(max_examples=100, deadline=None)
def test_what_was_percent_encoded_comes_back(user: str, password: str, database: str, port: int) -> None:
    text = f"mydb://{quote(user, safe='')}:{quote(password, safe='')}@h:{port}/{quote(database, safe='')}"
    wanted = {"username": user, "password": password, "database": database, "host": "h", "port": port}
    assert parts_of(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mydb",
        "mydb:",
        "mydb:/h",
        "h",
        "//h",
        "host=h user=u",
        "mydb://h#f",
        "mydb://h/d/e",
        "mydb://h:x",
        "mydb://h:123456",
        "mydb://u:p@w@h/d",
        "mydb://h h",
        " mydb://h",
        "mydb://h\n",
        "mydb://[::1",
        "mydb://[fe80::1%25lo]/",
        "mydb://h:5:6",
        "mydb://u%4@h",
        "mydb://u:%ff@h",
        "mydb://u:%zz@h",
        None,
        5,
        True,
        ["mydb://h"],
        {"a": 1},
    ],
)
def test_P_02_another_form_is_refused(text: object) -> None:
    problem = refusal(text).problems[0]
    assert (problem.pointer, problem.code) == ("/connection_string", "connection_string")


@pytest.mark.parametrize("text", ["postgresql://h/d", "mydb2://h", "file:///etc", "http://h/"])
def test_P_02_another_scheme_is_refused(text: str) -> None:
    assert "mydb:// or my://" in (refusal(text).problems[0].hint or "")


@pytest.mark.parametrize(
    "query",
    [
        "service=x",
        "passfile=/etc/passwd",
        "host=evil",
        "hostaddr=10.0.0.1",
        "options=-c%20role%3Dx",
        "password=p",
        "SSLMODE=require",
        "ssl%6Dode=require",
        "=x",
        "sslmode",
    ],
)
def test_P_02_options_that_stand_for_no_field_are_refused(query: str) -> None:
    if query == "sslmode":
        assert parts_of("mydb://h?sslmode") == {"host": "h", "tls_mode": ""}
    else:
        assert "known options: application_name, sslmode" in (refusal(f"mydb://h?{query}").problems[0].hint or "")


@pytest.mark.parametrize("mode", ["prefer", "allow"])
def test_P_02_modes_that_fall_back_to_clear_text_are_refused_with_what_to_use(mode: str) -> None:
    assert "'require' or 'verify-full'" in (refusal(f"mydb://h?sslmode={mode}").problems[0].hint or "")


@pytest.mark.parametrize("text", ["mydb://a,b/d", "mydb://a:1,b:2/d", "mydb://u:p@a,b/d", "mydb://h@a,b"])
def test_P_11_there_is_one_host(text: str) -> None:
    assert "with one host" in (refusal(text).problems[0].hint or "")


@pytest.mark.parametrize("host", ["a%2Cb", "%2Frun%2Fpg", "%40abstract", "127.1", "a%00b"])
def test_P_11_encoding_does_not_smuggle_another_kind_of_host_in(host: str) -> None:
    with pytest.raises(InputError) as caught:
        read_new(DATABASE, {"name": "n", "type": "mydb", "connection_string": f"mydb://u@{host}/d"})
    assert [problem.code for problem in caught.value.problems] == ["host_syntax"]


def test_P_01_an_encoded_nul_is_refused_in_the_field_that_it_lands_in() -> None:
    with pytest.raises(InputError) as caught:
        read_new(DATABASE, {"name": "n", "type": "mydb", "connection_string": "mydb://u%00x:p%00@h/d%00options"})
    assert {problem.pointer for problem in caught.value.problems} == {"/username", "/password", "/database"}


@pytest.mark.parametrize("text", ["mydb://h?sslmode=require&sslmode=disable", "mydb://h?sslmode=a&&sslmode=a"])
def test_a_string_that_says_a_thing_twice_is_refused(text: str) -> None:
    assert refusal(text).problems[0].hint == "It says the same thing twice."


def test_fields_that_agree_are_taken_and_others_are_added() -> None:
    found = parts_of("mydb://u:p@DB.example:5/d", host="db.EXAMPLE", port=5, password="p", name="n")
    assert found == {"username": "u", "password": "p", "host": "db.EXAMPLE", "port": 5, "database": "d", "name": "n"}


def test_each_field_that_disagrees_is_named() -> None:
    error = refusal("mydb://u:p@h:5/d", host="other", port="5", password={"ref": "env:P"}, username=None, database="d")
    assert {problem.pointer for problem in error.problems} == {"/host", "/port", "/password", "/username"}
    assert error.common_code == "connection_string_conflict"


def test_the_string_is_not_stored_and_its_password_is_a_secret(canary: Canary) -> None:
    value = canary.plain_secret()
    config = read_new(DATABASE, {"name": "n", "type": "mydb", "connection_string": f"mydb://u:{value}@h/d"})
    canary.saw(config.model_dump_json())
    assert "connection_string" not in config.model_dump()
    assert config.password.reveal() == value  # type: ignore[attr-defined]  # the model is that of the type


def test_a_bad_string_is_told_with_all_else_that_is_wrong() -> None:
    with pytest.raises(InputError) as caught:
        read_new(DATABASE, {"type": "mydb", "connection_string": "nonsense", "port": 0, "hostt": "h", "id": "x"})
    assert {problem.pointer for problem in caught.value.problems} == {"/id", "/connection_string", "/port", "/hostt"}


@given(st.text("abcdef:@/?#%&=[], \0", max_size=30), st.sampled_from(["", "mydb://", "mydb://u:", "mydb://h?sslmode="]))
@settings(max_examples=300, deadline=None)
def test_L_03_no_text_crashes_the_parser_and_no_error_repeats_it(tail: str, head: str) -> None:
    secret = f"QQ{tail}QQ"
    try:
        parts_of(head + secret)
    except ConnectionStringError as error:
        assert "QQ" not in f"{error} {error.problems}"  # noqa: PT017  # either outcome is right, and each has its own claim
