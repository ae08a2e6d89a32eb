"""What a person gives to `wellhead add`."""

from pathlib import Path
from typing import Any

import pytest

from wellhead.cli.inputs import (
    merged,
    read_assignments,
    read_file,
    read_secret_files,
    read_secret_variables,
)
from wellhead.errors import InputError

PARAMETERS = [
    {"name": "path", "type": "string"},
    {"name": "port", "type": "integer"},
    {"name": "ratio", "type": "number"},
    {"name": "header", "type": "boolean"},
    {"name": "options", "type": "object"},
    {"name": "names", "type": "array"},
    {"name": "password", "type": "string", "secret": True},
    {"name": "secret_headers", "type": "object", "secret": True},
]


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("path=a=b=c", {"path": "a=b=c"}),
        ("path=", {"path": ""}),
        ("path=5", {"path": "5"}),
        ("port=5432", {"port": 5432}),
        ("ratio=1.5", {"ratio": 1.5}),
        ("header=YES", {"header": True}),
        ("header=false", {"header": False}),
        ('options={"a": 1}', {"options": {"a": 1}}),
        ('names=["a"]', {"names": ["a"]}),
        ("labels.team=5", {"labels": {"team": "5"}}),
        ("labels.a.b/c=x", {"labels": {"a.b/c": "x"}}),
        ("unknown=x", {"unknown": "x"}),
    ],
)
def test_a_value_is_read_as_the_type_of_its_field(text: str, document: dict[str, Any]) -> None:
    assert read_assignments([text], PARAMETERS) == document


@pytest.mark.parametrize(
    "text",
    ["path", "=x", "", "port=x", "port=1_0", "port=0x10", "ratio=NaN", "header=1", "header=", "options=x"],
)
def test_a_value_of_another_type_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(InputError) as caught:
        read_assignments([text], PARAMETERS)
    assert caught.value.problems[0].code == "bad_format"


@pytest.mark.parametrize("key", ["password", "secret_headers", "secret_headers.X-Key", "password.x"])
def test_a_secret_is_refused_as_an_argument_at_any_depth(key: str) -> None:
    with pytest.raises(InputError, match="Secrets are not taken") as caught:
        read_assignments([f"{key}=hunter2"], PARAMETERS)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("texts", [["labels=x", "labels.a=b"], ["port=5", "port.a=b"], ["names=[1]", "names.a=b"]])
def test_a_field_cannot_be_given_whole_and_in_parts(texts: list[str]) -> None:
    with pytest.raises(InputError, match="Give one of the two"):
        read_assignments(texts, PARAMETERS)


def test_entries_of_a_map_are_put_together() -> None:
    assert read_assignments(["labels.a=1", "labels.b=2"], PARAMETERS) == {"labels": {"a": "1", "b": "2"}}


@pytest.mark.parametrize(("content", "secret"), [("x\n", "x"), ("x\r\n", "x"), ("x\n\n", "x\n"), (" x ", " x ")])
def test_one_line_break_at_the_end_of_a_file_is_left_out(tmp_path: Path, content: str, secret: str) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content.encode())
    assert read_secret_files([f"password={path}"]) == {"password": secret}


def test_a_secret_of_a_map_comes_from_a_file_too(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("x")
    assert read_secret_files([f"secret_headers.X-Key={path}"]) == {"secret_headers": {"X-Key": "x"}}


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "secret"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read as text"):
        read_secret_files([f"password={path}"])


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWN", "x")
    assert read_secret_variables(["password=OWN"]) == {"password": "x"}
    with pytest.raises(InputError, match="NOT_SET"):
        read_secret_variables(["password=NOT_SET"])


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1, "a": 2}', '{"a": NaN}'])
def test_a_file_that_is_no_json_object_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "document.json"
    path.write_text(content)
    with pytest.raises(InputError):
        read_file(path)


def test_of_a_map_that_several_give_the_entries_are_put_together() -> None:
    one, two = {"labels": {"a": "1"}, "path": "x"}, {"labels": {"b": "2"}, "path": "y"}
    assert merged(one, two) == {"labels": {"a": "1", "b": "2"}, "path": "y"}
    assert one == {"labels": {"a": "1"}, "path": "x"}
