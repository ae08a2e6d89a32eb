"""What is read of a body: only JSON that no two programs read differently."""

from typing import Any

import httpx2
import pytest

from support.documents import Make, document_of, path_of
from support.service import SOURCES
from wellhead.api.operations import OPERATIONS, Operation

JSON = {"content-type": "application/json"}


def code_of(answer: httpx2.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["code"])


TAKING = [operation for operation in OPERATIONS if operation.method in {"POST", "PUT", "PATCH"}]
"""Every operation that takes a body, or none."""


def target_of(operation: Operation, source: dict[str, Any]) -> str:
    return operation.path.format(source_id=source["id"], type_name="csv")


BODIES = [
    (b'{"name": "a", "name": "b"}', "duplicate_key"),
    (b'{"name": "a", "n\\u0061me": "b"}', "duplicate_key"),
    (b'{"labels": {"a": "1", "a": "1"}}', "duplicate_key"),
    (b'{"port": NaN}', "absurd_number"),
    (b'{"port": -Infinity}', "absurd_number"),
    (b'{"port": 1e999}', "absurd_number"),
    (b'{"port": ' + b"9" * 5000 + b"}", "absurd_number"),
    (b'{"name": "\\ud800"}', "invalid_unicode"),
    (b'{"\\udfff": 1}', "invalid_unicode"),
    (b'{"name": "\xff"}', "invalid_unicode"),
    (b'{"name": "caf\xe9"}', "invalid_unicode"),
    ('{"name": "a"}'.encode("utf-16"), "invalid_unicode"),
    (b'\xef\xbb\xbf{"name": "a"}', "malformed_json"),
    (b'{"a":' * 300 + b"1" + b"}" * 300, "nested_too_deep"),
    (b"[" * 100_000, "nested_too_deep"),
    (b"", "malformed_json"),
    (b'{"a": 1,}', "malformed_json"),
    (b'{"a": 01}', "malformed_json"),
    (b'{"a": 1_0}', "malformed_json"),
    (b'{"a": "\x01"}', "malformed_json"),
    (b"{} {}", "malformed_json"),
    (b"// comment\n{}", "malformed_json"),
]


@pytest.mark.parametrize(("body", "code"), BODIES, ids=[f"{number}-{code}" for number, (_, code) in enumerate(BODIES)])
def test_I_01_to_I_06_what_is_no_clear_json_is_refused_by_every_operation(
    client: httpx2.Client, make: Make, body: bytes, code: str
) -> None:
    source = make()
    for operation in TAKING:
        if body or (operation.body_required and operation.body):
            answer = client.request(operation.method, target_of(operation, source), content=body, headers=JSON)
            assert code_of(answer, 400) == code, operation.name


@pytest.mark.parametrize("body", [b"null", b"[]", b'"text"', b"5", b"true"])
def test_what_is_json_but_no_object_does_not_fit_any_operation(client: httpx2.Client, make: Make, body: bytes) -> None:
    source = make()
    for operation in TAKING:
        target = target_of(operation, source)
        answer = client.request(operation.method, target, content=body, headers=JSON)
        assert code_of(answer, 422) == "wrong_type", operation.name
        assert answer.json()["errors"][0]["pointer"] == ""
        answer = client.request(operation.method, target, params={"bogus": "1"}, content=body, headers=JSON)
        assert code_of(answer, 422) == "unknown_parameter", operation.name


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/json",
        "application/xml",
        "application/json; charset=utf-16",
        "application/x-www-form-urlencoded",
        "json",
    ],
)
@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_I_11_another_content_type_is_refused_by_every_operation(
    client: httpx2.Client, make: Make, kind: str, encoding: str
) -> None:
    source, headers = make(), {"content-type": kind, "content-encoding": encoding}
    for operation in TAKING:
        answer = client.request(operation.method, target_of(operation, source), content=b"{}", headers=headers)
        assert code_of(answer, 415) == "unsupported_media_type", operation.name


def test_I_11_only_a_patch_may_be_a_merge_patch(client: httpx2.Client, make: Make) -> None:
    source, headers = make(), {"content-type": "application/merge-patch+json"}
    assert client.patch(path_of(source), content=b"{}", headers=headers).status_code == 200
    assert client.put(path_of(source), json=source, headers=headers).status_code == 415
    assert client.post(SOURCES, json=document_of(), headers=headers).status_code == 415


def test_Z_05_a_json_patch_is_none(client: httpx2.Client, make: Make) -> None:
    operations = [{"op": "replace", "path": "/path", "value": "x"}]
    path = path_of(make())
    assert client.patch(path, json=operations).status_code == 422
    headers = {"content-type": "application/json-patch+json"}
    assert client.patch(path, json=operations, headers=headers).status_code == 415


@pytest.mark.parametrize(
    "name", ["sales 📈", "👩‍👩‍👧", "продажи", "販売", "a" * 100, "a/b", "..", "%2e", "'; DROP TABLE x; --"]
)
def test_S_02_a_name_is_only_a_name(client: httpx2.Client, make: Make, name: str) -> None:
    source = make(name=name)
    assert client.get(path_of(source)).json()["name"] == name
    assert client.get(SOURCES, params={"name": name}).json()["items"][0]["id"] == source["id"]
    assert client.delete(path_of(source)).status_code == 204


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":' * 40_000, b"1" * 200_000, b'"' + b"\\u0061" * 40_000])
def test_I_16_a_body_that_is_hard_to_read_is_refused_quickly(client: httpx2.Client, body: bytes) -> None:
    answer = client.post(SOURCES, content=body, headers=JSON, timeout=2)
    assert answer.status_code == 400
