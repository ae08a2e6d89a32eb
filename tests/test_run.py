"""What a worker says of a validation: taken where it can be right, and the end of it where it cannot."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest

import wellhead
from support.canary import Canary
from wellhead.plugins.registry import describe
from wellhead.validation.run import MAX_BYTES, Run
from wellhead.validation.wire import WireError, decode

pytestmark = pytest.mark.anyio


class Thing(wellhead.DataSourceConfig):
    """A type for tests."""

    type: Literal["thing"] = "thing"
    password: wellhead.Secret | None = None


def begin(defects: list[list[str]] | None = None) -> Run:
    known = describe(wellhead.DataSourceType(Thing, None))
    return Run(known, Thing(name="a"), defect=([] if defects is None else defects).append)


def check(**said: Any) -> dict[str, Any]:
    document = {"name": "one", "status": "passed", "code": None, "message": None, "hint": None, "fields": []}
    return {"check": {**document, "duration_ms": 1.0, **said}}


NESTED = decode(b'{"fact":["x",' + b"[" * 900 + b"]" * 900 + b"]}")
NONSENSE: list[dict[str, Any]] = [
    {},
    {"begin": [["a"], []]},
    {"begin": [None, []]},
    {"begin": ["a", [1]]},
    {"begin": ["a", None]},
    {"begin": "ab" * 50},
    {"fact": [{}, 1]},
    {"fact": [1, 1]},
    {"defect": 1},
    {"defect": [1]},
    check(name=1),
    check(name={}),
    check(status=[]),
    check(duration_ms="1"),
    check(duration_ms=None),
    check(duration_ms=float("nan")),
    check(duration_ms=-1),
    check(status="failed", fields=1),
]


@pytest.mark.parametrize("message", NONSENSE)
async def test_G_11_nonsense_ends_a_validation_and_is_the_plugins_fault(message: dict[str, Any]) -> None:
    run = begin()

    with pytest.raises(WireError):
        run.take(message, 1)

    assert [item.code for item in run.result().errors] == ["plugin_error"]
    assert await run.next_check() is not None
    assert await run.next_check() is None


@pytest.mark.parametrize("message", [*NONSENSE, NESTED, check(duration_ms=10**400), check(duration_ms=float("inf"))])
async def test_G_11_whatever_was_said_the_result_is_json_and_can_still_be_ended(message: dict[str, Any]) -> None:
    run = begin()
    for _ in range(2):
        try:
            run.take(message, 1)
        except WireError:
            continue

    run.expire()

    assert json.loads(json.dumps(run.result().as_document(), allow_nan=False))


async def test_a_check_took_no_longer_than_the_validation() -> None:
    run = begin()

    run.take(check(duration_ms=1e300), 1)

    assert run.result().checks[0].duration_ms < 60_000


async def test_G_18_what_is_said_after_the_end_counts_too() -> None:
    run = begin()
    run.expire()

    run.take(check(), MAX_BYTES)

    with pytest.raises(WireError):
        run.take(check(), 1)
    assert run.result().status == "timeout"


async def test_G_13_L_24_a_worker_that_takes_no_secret_out_gets_none_through(canary: Canary) -> None:
    secret = canary.plain_secret()
    defects: list[list[str]] = []
    run = begin(defects)
    run.unlocked(Thing(name="a", password=wellhead.Secret(secret)))

    run.take({"fact": [f"a {secret}", [secret]]}, 1)
    run.take({"defect": [f"a {secret}"]}, 1)
    run.take(check(name=f"a {secret}", status="failed", code="auth_failed", message=secret, hint=f"not {secret}"), 1)
    run.take({"begin": [f"b {secret}", []]}, 1)
    run.expire()

    told = json.dumps([run.result().as_document(), defects])
    assert secret not in told
    assert told.count("[redacted]") >= 7
