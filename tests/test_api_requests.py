"""Ids, bodies and conditions are read strictly, and in the order that the contract has."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from fastapi import Request

from wellhead.api.problems import HttpProblem
from wellhead.api.requests import (
    MAX_BODY_BYTES,
    PATCH_TYPES,
    changes_in,
    expected_revision,
    object_in,
    prefers,
    read_document,
    read_optional_document,
    refuse_members,
    revision_in,
    source_id_of,
)
from wellhead.errors import DataSourceNotFoundError, InputError, MalformedJSONError, RevisionMismatchError
from wellhead.settings import Settings

T = TypeVar("T")
JSON = ("content-type", "application/json")
ID = "5f3c2d1e-0a4b-4c5d-8e6f-7a8b9c0d1e2f"


def request(*headers: tuple[str, str], chunks: tuple[bytes, ...] = (b"",), **path: Any) -> Request:
    """Make a request whose body comes in chunks."""
    waiting = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    waiting[-1]["more_body"] = False

    async def receive() -> Any:
        return waiting.pop(0)

    raw = [(name.encode(), value.encode()) for name, value in headers]
    app = SimpleNamespace(state=SimpleNamespace(service=SimpleNamespace(settings=Settings())))
    return Request({"type": "http", "headers": raw, "path_params": path, "app": app}, receive)


def now(work: Awaitable[T]) -> T:
    async def wait() -> T:
        return await work

    return asyncio.run(wait())


def status_of(work: Awaitable[Any]) -> int:
    with pytest.raises(HttpProblem) as caught:
        now(work)
    return caught.value.status


def test_an_id_is_a_uuid_in_its_canonical_form() -> None:
    assert source_id_of(request(source_id=ID)) == ID


@pytest.mark.parametrize(
    "text",
    [
        ID.upper(),
        ID.replace("-", ""),
        f"{{{ID}}}",
        f"urn:uuid:{ID}",
        f" {ID}",
        f"{ID}\n",
        "",
        "..",
        "\0",
        ID[:-1],
        "validate",
    ],
)
def test_S_01_every_other_spelling_is_not_found(text: str) -> None:
    with pytest.raises(DataSourceNotFoundError):
        source_id_of(request(source_id=text))


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        " application/json ",
        "application/json;",
    ],
)
def test_I_11_json_in_utf_8_is_taken(kind: str) -> None:
    assert now(read_document(request(("content-type", kind), chunks=(b'{"a"', b": 1}")))) == {"a": 1}


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/plain",
        "text/json",
        "application/jsonp",
        "application/problem+json",
        "application/merge-patch+json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application/json; version=2",
        "application/json, text/plain",
    ],
)
def test_I_11_L_06_every_other_type_is_refused_before_the_body_is_read(kind: str) -> None:
    assert status_of(read_document(request(("content-type", kind), chunks=(b"\xff not json",)))) == 415


def test_a_patch_may_be_a_merge_patch() -> None:
    kind = ("content-type", "application/merge-patch+json")
    assert now(read_document(request(kind, chunks=(b"{}",)), PATCH_TYPES)) == {}


@pytest.mark.parametrize(
    "headers", [(JSON,), (JSON, ("content-length", "3")), (JSON, ("content-length", str(MAX_BODY_BYTES + 1)))]
)
def test_R_09_a_body_that_is_too_large_is_refused_whatever_was_declared(headers: tuple[tuple[str, str], ...]) -> None:
    chunks = (b"[" * 65536,) * 4 + (b"[",)
    assert status_of(read_document(request(*headers, chunks=chunks))) == 413


def test_a_body_of_just_256_kib_is_read() -> None:
    body = b'{"a": "' + b"x" * (MAX_BODY_BYTES - 9) + b'"}'
    assert len(body) == MAX_BODY_BYTES
    assert now(read_document(request(JSON, chunks=(body,))))


def test_R_09_an_absurd_length_is_refused_before_the_body_comes() -> None:
    assert status_of(read_document(request(JSON, ("content-length", "9" * 5000)))) == 413


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((), False),
        (("*/*",), False),
        (("application/json",), False),
        (("text/lines",), True),
        (("Text/Lines; charset=utf-8",), True),
        (("text/lines, */*",), True),
        (("application/json", "text/lines"), True),
        (("application/json, text/lines;q=0.5",), False),
        (("application/json;q=0.2, text/lines;q=0.5",), True),
        (("text/lines;q=0",), False),
        (("text/lines; q=0.000",), False),
        (("text/lines;q=much",), False),
        (("text/lines2",), False),
        ((",;,",), False),
    ],
)
def test_another_kind_of_answer_is_given_where_it_is_preferred(values: tuple[str, ...], expected: bool) -> None:
    asked = request(*(("accept", value) for value in values))
    assert prefers(asked, "text/lines", "application/json") is expected


def test_an_optional_body_may_be_missing_whatever_its_type() -> None:
    assert now(read_optional_document(request(("content-type", "text/plain")))) == {}


def test_an_optional_body_that_is_there_must_be_json() -> None:
    assert status_of(read_optional_document(request(chunks=(b"{}",)))) == 415


def test_the_type_of_an_optional_body_is_looked_at_before_its_size() -> None:
    assert status_of(read_optional_document(request(chunks=(b"x" * (MAX_BODY_BYTES + 1),)))) == 415


@pytest.mark.parametrize("body", [b"", b"{} {}", b"{'a': 1}"])
def test_what_is_no_json_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedJSONError):
        now(read_document(request(JSON, chunks=(body,))))


@pytest.mark.parametrize("take", [object_in, changes_in, revision_in, lambda body: refuse_members(body, ())])
@pytest.mark.parametrize("body", [[], None, "text", 5, False])
def test_a_body_that_is_no_object_does_not_fit(take: Callable[[Any], object], body: object) -> None:
    with pytest.raises(InputError) as caught:
        take(body)
    assert [(problem.pointer, problem.code) for problem in caught.value.problems] == [("", "wrong_type")]


@pytest.mark.parametrize("values", [(), ("*",), (" * ",)])
def test_without_a_condition_any_revision_will_do(values: tuple[str, ...]) -> None:
    assert expected_revision(request(*(("if-match", value) for value in values)), 3) is None


@pytest.mark.parametrize("values", [('"3"',), ('"1", "3"',), ('"1"', '"3"'), ('W/"3", "3"',)])
def test_a_condition_that_names_the_revision_holds_it(values: tuple[str, ...]) -> None:
    assert expected_revision(request(*(("if-match", value) for value in values)), 3) == 3


@pytest.mark.parametrize("value", ['"2"', 'W/"3"', "3", '"03"', '" 3"', "", '"3', "**", '"None"', '"٣"'])
@pytest.mark.parametrize("stored", [3, None])
def test_every_other_condition_fails(value: str, stored: int | None) -> None:
    with pytest.raises(RevisionMismatchError):
        expected_revision(request(("if-match", value)), stored)


@pytest.mark.parametrize(("value", "told"), [("3", True), ("abc", True), ('"2"', False)])
def test_an_etag_without_quotation_marks_is_told(value: str, told: bool) -> None:
    with pytest.raises(RevisionMismatchError) as caught:
        expected_revision(request(("if-match", value)), 3)
    assert ("in quotation marks" in caught.value.message) is told


def test_members_of_a_body_are_taken_out() -> None:
    assert changes_in({}) == {}
    assert changes_in({"changes": {"a": 1}}) == {"a": 1}
    assert revision_in({"revision": 3}) == 3
    refuse_members({}, ())


@pytest.mark.parametrize(
    ("read", "body", "codes"),
    [
        (changes_in, {"changes": []}, {"/changes": "wrong_type"}),
        (changes_in, {"change": {}}, {"/change": "unknown_field"}),
        (revision_in, {}, {"/revision": "required"}),
        (revision_in, {"revision": True}, {"/revision": "wrong_type"}),
        (revision_in, {"revision": 0, "x": 1}, {"/revision": "out_of_range", "/x": "unknown_field"}),
    ],
)
def test_members_that_do_not_fit_are_all_told(read: Any, body: dict[str, Any], codes: dict[str, str]) -> None:
    with pytest.raises(InputError) as caught:
        read(body)
    assert {problem.pointer: problem.code for problem in caught.value.problems} == codes
