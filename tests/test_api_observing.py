"""Each request has an id, and one line in the log that says nothing of what it sent."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from starlette.testclient import TestClient

from support.api import SOURCES, api, csv_source  # noqa: F401  # the fixture is found by its name
from support.canary import Canary
from wellhead import logs
from wellhead.access.principal import local_user
from wellhead.api.telemetry.observing import request_id_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
NEW = re.compile("[0-9a-f]{16}")


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    """The lines of the log, as facts."""
    with structlog.testing.capture_logs() as captured:
        yield captured


@pytest.mark.parametrize("given", ["a", "req-1.2_3", "0123456789abcdef" * 4, TRACE])
def test_an_id_that_is_short_and_plain_is_taken_up(api: TestClient, given: str, lines: list[Any]) -> None:  # noqa: F811
    answer = api.get("/healthz", headers={"X-Request-Id": given})
    assert answer.headers.get_list("X-Request-Id") == [given]
    assert lines[-1]["request_id"] == given


@pytest.mark.parametrize("given", ["", " ", "-a", "a b", "a" * 65, "a\t", 'a"b', "a/b", "a{b}", "é".encode(), "$(id)"])
def test_L_22_any_other_id_is_replaced(api: TestClient, given: str | bytes, lines: list[Any]) -> None:  # noqa: F811
    answer = api.get("/healthz", headers={"X-Request-Id": given})
    assert NEW.fullmatch(answer.headers["X-Request-Id"])
    assert lines[-1]["request_id"] == answer.headers["X-Request-Id"]


def test_an_id_that_is_sent_twice_is_replaced() -> None:
    assert NEW.fullmatch(request_id_of([(b"x-request-id", b"one"), (b"x-request-id", b"one")]))


@pytest.mark.parametrize(
    ("given", "is_taken"),
    [
        (f"00-{TRACE}-00f067aa0ba902b7-01", True),
        (f"01-{TRACE}-00f067aa0ba902b7-01-more", True),
        (f"ff-{TRACE}-00f067aa0ba902b7-01", False),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", False),
        (f"00-{TRACE}-{'0' * 16}-01", False),
        (f"00-{TRACE.upper()}-00f067aa0ba902b7-01", False),
        (f"00-{TRACE}-00f067aa0ba902b7", False),
    ],
)
def test_without_an_id_that_of_a_trace_is_taken_up(given: str, is_taken: bool) -> None:
    found = request_id_of([(b"traceparent", given.encode())])
    assert (found == TRACE) is is_taken
    assert request_id_of([(b"traceparent", given.encode()), (b"x-request-id", b"mine")]) == "mine"


def test_a_request_is_logged_by_its_operation_and_its_user(api: TestClient, lines: list[Any]) -> None:  # noqa: F811
    made = api.post(SOURCES, json=csv_source()).json()
    answer = api.get(f"{SOURCES}/{made['id']}")
    line = lines[-1]
    assert line.pop("ms") >= 0
    assert line == {
        "event": "request",
        "log_level": "info",
        "operation": "readDataSource",
        "status": 200,
        "user": local_user(),
        "source_id": made["id"],
        "request_id": answer.headers["X-Request-Id"],
    }


@pytest.mark.parametrize("path", ["/{}", SOURCES + "/{}", SOURCES + "?name={}", SOURCES + "/types/{}", "/problems/{}"])
def test_L_02_nothing_that_was_sent_is_logged(
    api: TestClient,  # noqa: F811
    path: str,
    canary: Canary,
    capfd: pytest.CaptureFixture[str],
) -> None:
    logs.configure("debug")
    secret = canary.plain_secret()
    with structlog.testing.capture_logs() as lines:
        answer = api.request(secret[:8], path.format(secret), headers={"Authorization": f"Bearer {secret}"})
        api.get(path.format(secret), headers={"User-Agent": secret, "X-Request-Id": f"{secret} x", "Cookie": secret})
    canary.saw(str(lines))
    assert secret[:8] not in str(lines)
    assert answer.status_code in {401, 405}


def test_without_a_token_a_request_has_no_user(api: TestClient, lines: list[Any]) -> None:  # noqa: F811
    api.get("/healthz", headers={"Authorization": "Bearer wrong"})
    assert (lines[-1]["operation"], "user" in lines[-1]) == ("healthz", False)


def test_what_else_is_logged_meanwhile_has_the_id_of_the_request(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    token = logs.REQUEST_ID.set("req-1")
    structlog.get_logger("wellhead.validation").warning("validation not understood")
    logs.REQUEST_ID.reset(token)
    structlog.get_logger("wellhead.validation").warning("re-check put off")
    first, second = capsys.readouterr().err.splitlines()
    assert '"request_id": "req-1"' in first
    assert "request_id" not in second
