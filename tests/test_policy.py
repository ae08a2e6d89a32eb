"""Who may do what: the table of roles, and each operation as each role."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import get_args

import pytest
from starlette.testclient import TestClient

from support.api import SOURCES, api_of, csv_source
from wellhead.access.authentication import LocalAuthenticator
from wellhead.access.policy import PERMITTED, Permission, Role, least_role, may
from wellhead.access.principal import Principal, acting_as, acting_user, local_user
from wellhead.api.app import create_app
from wellhead.api.guarded import UnguardedOperationError
from wellhead.api.operations import OPERATIONS, Operation
from wellhead.api.telemetry.exposition import Exposition
from wellhead.api.telemetry.metrics import Metrics
from wellhead.assembled import Wellhead

ROLES: tuple[Role, ...] = get_args(Role)
NOBODY = "5f3c2d1e-0a4b-4c5d-8e6f-7a8b9c0d1e2f"
CLOSED = [operation for operation in OPERATIONS if not operation.is_public]

CONTRACT = {
    "viewer": {"read"},
    "editor": {"read", "write", "validate"},
    "admin": {"read", "write", "validate", "audit", "metrics", "plugins", "tokens"},
}
"""The contract's words, written down a second time."""

NEEDS: dict[str, Role] = {
    "listDataSources": "viewer",
    "summarizeDataSources": "viewer",
    "createDataSource": "editor",
    "validateUnsavedDataSource": "editor",
    "validateDataSources": "editor",
    "listTypes": "viewer",
    "readType": "viewer",
    "readDataSource": "viewer",
    "replaceDataSource": "editor",
    "patchDataSource": "editor",
    "deleteDataSource": "editor",
    "validateDataSource": "editor",
    "readHealth": "viewer",
    "readHistory": "viewer",
    "rollBackDataSource": "editor",
    "readAudit": "admin",
    "reloadPlugins": "admin",
    "readMetrics": "admin",
}
"""Who may do each operation, at least; an operation that is not here fails the tests."""


@pytest.fixture
def as_role(wellhead_parts: Wellhead) -> Iterator[dict[Role, TestClient]]:
    """A client for each role, in one workspace."""
    with ExitStack() as stack:
        yield {role: stack.enter_context(api_of(_acting(wellhead_parts, role))) for role in ROLES}


def _acting(wellhead: Wellhead, role: Role) -> Wellhead:
    """Return parts whose token is one of a role."""
    principal = Principal(f"{role}-of-the-test", "w", role, is_operator=role == "admin")
    return replace(wellhead, authenticator=LocalAuthenticator(wellhead.token, principal))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("permission", get_args(Permission))
def test_the_table_is_the_contracts(role: Role, permission: Permission) -> None:
    assert may(role, permission) is (permission in CONTRACT[role])


def test_each_role_may_do_what_the_one_before_may_and_more() -> None:
    viewer, editor, admin = (PERMITTED[role] for role in ROLES)
    assert viewer < editor < admin == frozenset(get_args(Permission))


@pytest.mark.parametrize("operation", CLOSED, ids=lambda operation: operation.name)
def test_each_operation_needs_what_it_should(operation: Operation) -> None:
    assert operation.permission is not None
    assert least_role(operation.permission) == NEEDS[operation.name]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("operation", CLOSED, ids=lambda operation: operation.name)
def test_each_operation_is_refused_to_exactly_the_roles_that_may_not(
    as_role: dict[Role, TestClient], workspace: Path, operation: Operation, role: Role
) -> None:
    made = as_role["editor"].post(SOURCES, json=csv_source()).json()
    before = as_role["admin"].get(SOURCES).json()
    path = operation.path.format(source_id=made["id"], type_name="csv")
    answer = as_role[role].request(operation.method, path, json={})
    if ROLES.index(role) >= ROLES.index(NEEDS[operation.name]):
        assert answer.status_code not in {401, 403}
    else:
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert as_role["admin"].get(SOURCES).json() == before


@pytest.mark.parametrize(
    "operation", [item for item in CLOSED if "{source_id}" in item.path], ids=lambda operation: operation.name
)
@pytest.mark.parametrize("source_id", [NOBODY, NOBODY.upper(), "x"])
def test_Z_01_what_is_not_there_is_not_found_before_the_role_is_looked_at(
    as_role: dict[Role, TestClient], operation: Operation, source_id: str
) -> None:
    answer = as_role["viewer"].request(operation.method, operation.path.format(source_id=source_id), content=b"{")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"content-type": "text/plain"}, b"x"),
        ({"content-type": "application/json"}, b"{" * 300_000),
        ({"content-type": "application/json"}, b"{"),
        ({"content-type": "application/json", "if-match": '"7"'}, b"{}"),
    ],
    ids=["type", "size", "json", "condition"],
)
def test_the_role_is_looked_at_before_the_body_and_its_conditions(
    as_role: dict[Role, TestClient], headers: dict[str, str], body: bytes
) -> None:
    made = as_role["editor"].post(SOURCES, json=csv_source()).json()
    viewer = as_role["viewer"]
    assert viewer.post(SOURCES, headers=headers, content=body).status_code == 403
    assert viewer.put(f"{SOURCES}/{made['id']}?unknown=1", headers=headers, content=body).status_code == 403


def test_a_path_and_a_method_are_looked_at_before_the_role(as_role: dict[Role, TestClient]) -> None:
    assert as_role["viewer"].post("/api/v1/nothing").status_code == 404
    assert as_role["viewer"].put(SOURCES).status_code == 405


def test_a_route_that_declares_no_permission_stops_the_start(wellhead_parts: Wellhead) -> None:
    forgotten, metrics = replace(CLOSED[0], permission=None), Metrics(wellhead_parts.pool)
    make = partial(create_app, wellhead_parts, _reload, metrics=metrics, exposition=Exposition(metrics))
    with pytest.raises(UnguardedOperationError, match="GET /api/v1/datasources declares no permission"):
        make(operations=[forgotten])
    make(operations=[replace(forgotten, is_public=True), *CLOSED])


def test_the_history_names_the_user_of_the_token(as_role: dict[Role, TestClient]) -> None:
    made = as_role["editor"].post(SOURCES, json=csv_source()).json()
    as_role["admin"].patch(f"{SOURCES}/{made['id']}", json={"description": "x"})
    as_role["editor"].patch(f"{SOURCES}/{made['id']}", json={"description": "y"})
    items = as_role["viewer"].get(f"{SOURCES}/{made['id']}/history").json()["items"]
    assert {item["by"] for item in items} <= {"admin-of-the-test", "editor-of-the-test", None}
    assert "admin-of-the-test" in {item["by"] for item in items}


def test_without_a_request_the_user_of_this_machine_acts() -> None:
    with acting_as(Principal("ada", "w", "viewer")):
        assert acting_user() == "ada"
        with acting_as(None):
            assert acting_user() == local_user()
        assert acting_user() == "ada"
    assert acting_user() == local_user()


async def _reload() -> Wellhead:
    raise NotImplementedError
