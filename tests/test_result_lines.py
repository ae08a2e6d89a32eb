"""Results that were edited by hand: what is no result counts as not there, and what shows results never fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from support.api import SOURCES, api, csv_source  # noqa: F401  # a fixture
from support.browsing import Visitor
from support.results import failed_result, result, summary
from wellhead.assembled import Wellhead
from wellhead.storage.disk.result_lines import read_result, read_summary_line

KEPT = failed_result(revision=1)
CHECK, FINDING = KEPT["checks"][1], KEPT["errors"][0]
DAMAGED: dict[str, Any] = {
    "not an object": [],
    "null": None,
    "empty": {},
    "no status": {key: value for key, value in KEPT.items() if key != "status"},
    "no details": {key: value for key, value in KEPT.items() if key != "details"},
    "unknown status": KEPT | {"status": "fine"},
    "status is a list": KEPT | {"status": ["passed"]},
    "success is a number": KEPT | {"success": 1},
    "checks is an object": KEPT | {"checks": {}},
    "a check is a text": KEPT | {"checks": ["connect"]},
    "a check has an unknown status": KEPT | {"checks": [CHECK | {"status": "error"}]},
    "a check without a name": KEPT | {"checks": [{key: value for key, value in CHECK.items() if key != "name"}]},
    "a check's field is a number": KEPT | {"checks": [CHECK | {"fields": [1]}]},
    "a check took no time that there is": KEPT | {"checks": [CHECK | {"duration_ms": "1"}]},
    "errors is a text": KEPT | {"errors": "none"},
    "an error is null": KEPT | {"errors": [None]},
    "an error says a number": KEPT | {"errors": [FINDING | {"message": 1}]},
    "warnings is null": KEPT | {"warnings": None},
    "details is a list": KEPT | {"details": [1]},
    "started at no time": KEPT | {"started_at": "yesterday"},
    "started at a number": KEPT | {"started_at": 1},
    "took true": KEPT | {"duration_ms": True},
    "took less than nothing": KEPT | {"duration_ms": -1},
    "took longer than a number can say": KEPT | {"duration_ms": 10**399},
    "took NaN": KEPT | {"duration_ms": float("nan")},
    "revision is a fraction": KEPT | {"revision": 1.5},
    "revision is true": KEPT | {"revision": True},
    "half a character": KEPT | {"details": {"version": "\ud800"}},
}


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
def test_a_line_that_is_no_result_is_damaged(damaged: Any) -> None:
    assert read_result(json.dumps(damaged).encode()) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "fine"},
        {"status": None},
        {"checked_at": "yesterday"},
        {"checked_at": []},
        {"revision": True},
        {"revision": 0},
        {"duration_ms": "1"},
        {"duration_ms": float("inf")},
    ],
    ids=str,
)
def test_a_line_that_is_no_summary_is_damaged(changes: dict[str, Any]) -> None:
    assert read_summary_line(json.dumps(summary(**changes)).encode()) is None


def test_what_a_validation_answers_is_read_as_it_was_written() -> None:
    for written in (KEPT, result(revision=3), result(revision=3, since_version_two={"a": [1]})):
        assert read_result(json.dumps(written).encode()) == written
    assert read_summary_line(json.dumps(summary()).encode()) == summary()


# What shows them


@pytest.fixture
def owner(api: TestClient, wellhead_parts: Wellhead) -> Iterator[Visitor]:  # noqa: F811
    """Somebody who has signed in, and may do everything."""
    token = wellhead_parts.token.read_or_make()
    with TestClient(api.app, "http://localhost", follow_redirects=False) as client:
        assert client.post("/sign-in", data={"token": token}).status_code == 200
        yield Visitor(client)


@pytest.fixture
def source(api: TestClient) -> str:  # noqa: F811
    """The id of a data source that was saved."""
    return str(api.post(SOURCES, json=csv_source()).json()["id"])


def write(workspace: Path, source: str, *lines: Any) -> None:
    text = "\n".join(map(json.dumps, lines))
    (workspace / ".datasources" / f"{source}.health.jsonl").write_text(text)


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_result_is_passed_over_and_the_others_are_shown(
    owner: Visitor,
    api: TestClient,  # noqa: F811
    workspace: Path,
    source: str,
    damaged: Any,
) -> None:
    write(workspace, source, summary(status="failed"), damaged, KEPT)
    assert api.get(f"{SOURCES}/{source}/health").json() == {"items": [KEPT]}
    assert "One result: Fails, in 2 ms." in owner.see(f"/sources/{source}")


def test_a_summary_with_an_unknown_status_is_no_health(
    owner: Visitor,
    api: TestClient,  # noqa: F811
    workspace: Path,
    source: str,
) -> None:
    write(workspace, source, summary(status="fine"), KEPT)
    assert api.get(f"{SOURCES}/{source}").json()["health"] is None
    assert api.get(f"{SOURCES}/summary").json()["items"][0]["health"] == "none"
    for path in ("/", "/summary", f"/sources/{source}"):
        owner.see(path)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-1, 2**70)
    | st.floats()
    | st.sampled_from(["", "passed", "\ud800", "x" * 9]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def paths_in(node: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    return [at, *(path for key in keys for path in paths_in(node[key], (*at, key)))]


def edited(node: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Put something else in one place; nothing at all where the value is `...`."""
    if not path:
        return None if value is ... else value
    changed = node.copy()
    if path[1:] or value is not ...:
        changed[path[0]] = edited(node[path[0]], path[1:], value)
    else:
        del changed[path[0]]
    return changed


@given(st.sampled_from(paths_in(KEPT)), ANYTHING | st.just(...), st.sampled_from(sorted(summary())), ANYTHING)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_edit_of_a_result_makes_anything_fail(
    owner: Visitor,
    api: TestClient,  # noqa: F811
    workspace: Path,
    source: str,
    path: tuple[Any, ...],
    value: Any,
    member: str,
    other: Any,
) -> None:
    write(workspace, source, summary(**{member: other}), edited(KEPT, path, value), KEPT)
    for where in ("", f"/{source}", f"/{source}/health", "/summary"):
        assert api.get(f"{SOURCES}{where}").status_code == 200
    for page in ("/", "/summary", f"/sources/{source}"):
        owner.see(page)
