"""Files with a flipped bit, as the API shows them: no error of the service, and never another secret."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from support.api import SOURCES, api, database  # noqa: F401  # a fixture is found by its name
from wellhead import open_workspace
from wellhead.assembled import Wellhead
from wellhead.errors import WellheadError

SECRETS = ("the first password", "the only password")


@pytest.fixture
def source(api: TestClient) -> Any:  # noqa: F811  # as above
    """A data source with a secret and a former revision."""
    made = api.post(SOURCES, json=database(password=SECRETS[0])).json()
    return api.patch(f"{SOURCES}/{made['id']}", json={"password": SECRETS[1]}).json()


def flips(content: bytes, step: int) -> Iterator[bytes]:
    """Return a content with each of its bits flipped, or with one bit of every `step` bits."""
    for bit in range(0, len(content) * 8, step):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


def states_after(api: TestClient, source: Any, path: Path, step: int) -> set[str]:  # noqa: F811  # as above
    """Flip bits of a file, and return the states that its data source has; it is read in every way each time."""
    good, seen = path.read_bytes(), set()
    own = f"{SOURCES}/{source['id']}"
    for content in flips(good, step):
        path.write_bytes(content)
        listed = api.get(SOURCES)
        answers = [listed, api.get(own), api.get(f"{own}/history"), api.get("/readyz")]
        answers.append(api.patch(own, json={"id": source["id"]}))  # which changes nothing
        answers.append(api.put(own, json=source, headers={"If-Match": '"99"'}))
        assert [answer.status_code for answer in answers if answer.status_code >= 500] == []
        assert not any(secret in answer.text for answer in answers for secret in SECRETS)
        seen |= {item["state"] for item in listed.json()["items"]}
        assert listed.json()["total"] == 1
    path.write_bytes(good)
    return seen


def passwords_after(wellhead: Wellhead, source: Any, path: Path, step: int) -> set[str]:
    """Flip bits of a file, and return the passwords that its data source has."""
    good, seen = path.read_bytes(), set()
    with open_workspace(wellhead.settings.workspace) as workspace:
        for content in flips(good, step):
            path.write_bytes(content)
            try:
                resolved: Any = workspace.resolve(source["id"])
            except WellheadError:
                continue
            seen |= revealed(resolved)
    path.write_bytes(good)
    return seen


def revealed(config: Any) -> set[str]:
    """Return the password; none where a flip took the name of the member that holds it."""
    return set() if config.password is None else {config.password.reveal()}


@pytest.mark.parametrize("step", [61, pytest.param(1, marks=pytest.mark.slow)])
def test_C_06_no_bit_flip_of_a_record_is_an_error_of_the_service_or_another_secret(
    api: TestClient,  # noqa: F811  # as above
    wellhead_parts: Wellhead,
    source: Any,
    step: int,
) -> None:
    path = wellhead_parts.settings.workspace / ".datasources" / f"{source['id']}.json"
    states = states_after(api, source, path, step)
    assert {"ok", "corrupt", "secret_unavailable"} <= states
    assert passwords_after(wellhead_parts, source, path, step) == {SECRETS[1]}


@pytest.mark.parametrize("step", [61, pytest.param(5, marks=pytest.mark.slow)])
def test_C_06_no_bit_flip_of_a_history_is_an_error_of_the_service_or_restores_another_secret(
    api: TestClient,  # noqa: F811  # as above
    wellhead_parts: Wellhead,
    source: Any,
    step: int,
) -> None:
    path = wellhead_parts.settings.workspace / ".datasources" / f"{source['id']}.history.jsonl"
    assert states_after(api, source, path, step) == {"ok"}
    good, record = path.read_bytes(), path.with_name(f"{source['id']}.json")
    stored, restored = record.read_bytes(), set()
    for content in flips(good, step * 7):
        path.write_bytes(content)
        answer = api.post(f"{SOURCES}/{source['id']}/rollback", json={"revision": 1})
        assert answer.status_code in {200, 409, 422}
        if answer.status_code == 200:
            with open_workspace(wellhead_parts.settings.workspace) as workspace:
                found: Any = workspace.resolve(source["id"])
            restored |= revealed(found)
        record.write_bytes(stored)
    assert restored <= {SECRETS[0]}


@pytest.mark.parametrize("step", [61, pytest.param(1, marks=pytest.mark.slow)])
def test_C_06_no_bit_flip_of_the_key_ring_gives_another_secret(
    wellhead_parts: Wellhead, source: Any, step: int
) -> None:
    path = wellhead_parts.settings.key_path
    assert passwords_after(wellhead_parts, source, path, step) <= {SECRETS[1]}


def test_C_19_an_older_record_that_is_put_back_opens_and_the_log_of_uses_says_which_revision(
    api: TestClient,  # noqa: F811  # as above
    wellhead_parts: Wellhead,
) -> None:
    made = api.post(SOURCES, json=database(password="the first password")).json()
    path = wellhead_parts.settings.workspace / ".datasources" / f"{made['id']}.json"
    older = path.read_bytes()
    api.patch(f"{SOURCES}/{made['id']}", json={"password": "the second password"})
    path.write_bytes(older)
    with open_workspace(wellhead_parts.settings.workspace) as workspace:
        resolved: Any = workspace.resolve("warehouse")
    assert resolved.password.reveal() == "the first password"  # as docs/explanation/limits.md says
    used = [json.loads(line) for line in (wellhead_parts.settings.config_dir / "audit.jsonl").read_text().splitlines()]
    assert used[-1]["revision"] == 1
