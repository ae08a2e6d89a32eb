"""The service as an app: what routing finds, and how errors are answered."""

import pytest
from starlette.testclient import TestClient

from support.api import SOURCES, api, csv_source  # noqa: F401  # the fixture is found by its name

ID = "5f3c2d1e-0a4b-4c5d-8e6f-7a8b9c0d1e2f"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", SOURCES, "GET, HEAD, POST"),
        ("DELETE", SOURCES, "GET, HEAD, POST"),
        ("POST", f"{SOURCES}/{ID}", "DELETE, GET, HEAD, PATCH, PUT"),
        ("TRACE", f"{SOURCES}/{ID}", "DELETE, GET, HEAD, PATCH, PUT"),
        ("GET", f"{SOURCES}/{ID}/validate", "POST"),
        ("POST", f"{SOURCES}/{ID}/health", "GET, HEAD"),
        ("OPTIONS", f"{SOURCES}/types", "DELETE, GET, HEAD, PATCH, PUT"),
        ("POST", "/healthz", "GET, HEAD"),
        ("TRACE", "/docs", "GET, HEAD"),
    ],
)
def test_a_method_that_a_path_does_not_know_is_answered_with_those_that_it_knows(
    api: TestClient,  # noqa: F811
    method: str,
    path: str,
    allowed: str,
) -> None:
    answer = api.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize(
    "path",
    [
        f"{SOURCES}/",
        f"{SOURCES}/{ID}/",
        f"{SOURCES}/{ID}/nothing",
        f"/{SOURCES}",
        "/api/v1//datasources",
        "/api/v1/x/%2e%2e/datasources",
        "/api/v1/datasources;x=1",
        "/API/v1/datasources",
        "/api/v2/datasources",
        f"{SOURCES}/types/",
        f"{SOURCES}/types/nothing",
        f"{SOURCES}/types/..%2f..",
        "/problems/nothing",
        "/problems/name_taken/",
        "/openapi.yaml",
    ],
)
def test_Z_06_every_other_path_is_not_found(api: TestClient, path: str) -> None:  # noqa: F811
    answer = api.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.headers["content-type"] == "application/problem+json"


def test_I_14_head_is_get_without_a_body(api: TestClient) -> None:  # noqa: F811
    got, head = api.get(SOURCES), api.head(SOURCES)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]


def test_I_14_a_method_in_a_header_is_ignored(api: TestClient) -> None:  # noqa: F811
    source = api.post(SOURCES, json=csv_source()).json()
    headers = {"X-HTTP-Method-Override": "DELETE", "X-Method-Override": "DELETE", "X-HTTP-Method": "DELETE"}
    assert api.get(f"{SOURCES}/{source['id']}?_method=DELETE", headers=headers).status_code == 422
    assert api.get(f"{SOURCES}/{source['id']}", headers=headers).status_code == 200
