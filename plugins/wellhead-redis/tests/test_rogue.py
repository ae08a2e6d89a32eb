"""Servers that are no Redis, or a bad one: no password gets out, and every validation ends with a listed code."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

import wellhead_redis
from support.canary import Canary
from support.fuzzing import DEADLINE, Claims, withstand
from support.redis import RedisServer
from support.validating import last, validate
from wellhead.codes import CODES
from wellhead.model.result import ValidationResult
from wellhead.testing import mutations, servers
from wellhead_redis import ERRORS, RedisDataSource, conversation, wellhead_data_source_types

pytestmark = pytest.mark.anyio

[REDIS] = wellhead_data_source_types()
OWN_TEXTS = inspect.getsource(wellhead_redis) + inspect.getsource(conversation)


async def run(
    port: int, password: str | None = "to-be-kept", *, seconds: float = 5, **changes: Any
) -> ValidationResult:
    fields = {"host": "localhost", "port": port, "password": password, "tls_mode": "disable"}
    return await validate(REDIS, RedisDataSource(name="a", **(fields | changes)), timeout=seconds)


@pytest.mark.parametrize(
    ("rogue", "code"),
    [
        (servers.expired, "certificate_expired"),
        (servers.self_signed, "certificate_self_signed"),
        (servers.wrong_name, "certificate_name_mismatch"),
        (servers.old_tls, "tls_version_unsupported"),
        (servers.echoing, "tls_failed"),
        (servers.closing_in_handshake, None),
        (servers.silent, "deadline"),
    ],
)
async def test_a_server_without_good_tls_gets_no_password(
    rogue: Callable[[], AbstractContextManager[servers.RunningServer]], code: str | None, canary: Canary
) -> None:
    with rogue() as server:
        result = await run(
            server.port, canary.plain_secret(), tls_mode="verify-full", ca_certificate=server.ca_certificate, seconds=2
        )
    assert last(result).name == "tls"
    assert code in {None, last(result).code}
    canary.saw(server.received)


@pytest.mark.parametrize(
    ("says", "check", "code"),
    [
        (b"-LOADING Redis is loading the dataset in memory\r\n", "authenticate", "server_starting"),
        (b"-NOAUTH Authentication required.\r\n", "authenticate", "password_missing"),
        (b"-DENIED Redis is running in protected mode because ...\r\n", "authenticate", "client_not_allowed"),
        (b"-MASTERDOWN Link with MASTER is down\r\n", "authenticate", "database_unavailable"),
        (b"-ERR max number of clients reached\r\n", "authenticate", "too_many_connections"),
        (b"-ERR something of its own\r\n", "authenticate", "query_failed"),
        (b"-READONLY You can't write against a read only replica.\r\n", "authenticate", "query_failed"),
        (b"-CLUSTERDOWN The cluster is down\r\n", "authenticate", "query_failed"),
        (b"+OK\r\n", "permissions", "protocol_error"),
        (b":7\r\n", "query", "protocol_error"),
        (b"$-1\r\n", "query", "protocol_error"),
        (b"*1\r\n:1\r\n", "permissions", "protocol_error"),
        (b":x\r\n", "authenticate", "protocol_error"),
        (b"$99999999999\r\n", "authenticate", "protocol_error"),
        (b"$x\r\n", "authenticate", "protocol_error"),
        (b"?what\r\n", "authenticate", "protocol_error"),
        (b"*1\r\n" * 2000 + b":1\r\n", "authenticate", "protocol_error"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "authenticate", "wrong_service"),
        (b"HTTP/1.1 400 Bad Request\r\n", "authenticate", "wrong_service"),
    ],
)
async def test_what_a_server_says_has_a_code(says: bytes, check: str, code: str) -> None:
    with servers.serve(servers.scripts.saying(*[says] * 6)) as server:
        result = await run(server.port, None)
    assert (last(result).name, last(result).code) == (check, code)


@pytest.mark.parametrize("again", [b"x", b":1\r\n", b"*1000000\r\n", b"$1\r\nx\r\n", b"*-1\r\n"])
async def test_an_answer_without_an_end_is_given_up(again: bytes) -> None:
    with servers.endless(b"*100000000\r\n", again) as server:
        result = await run(server.port, None, seconds=20)
    assert (last(result).name, last(result).code) == ("authenticate", "protocol_error")


@pytest.mark.parametrize("cut", [b"", b"+PON", b"$4\r\nPO"])
async def test_a_server_that_stops_in_the_middle_is_told(cut: bytes) -> None:
    with servers.closing(cut, wait_first=True) as server:
        result = await run(server.port, None)
    assert (last(result).name, last(result).code) == ("authenticate", "connection_lost")


async def test_a_silent_server_ends_at_the_deadline() -> None:
    with servers.silent() as server:
        result = await run(server.port, seconds=1)
    assert (last(result).name, last(result).code) == ("authenticate", "deadline")


@pytest.mark.parametrize("code", sorted(set(ERRORS.values())))
def test_every_code_is_in_the_catalogue(code: str) -> None:
    assert CODES[code].kind == "check"


async def test_changed_conversations_give_only_listed_codes(redis_server: RedisServer, canary: Canary) -> None:
    with servers.recording(redis_server.port) as server:
        assert (await run(server.port, redis_server.password, seconds=20)).success
    password = canary.plain_secret()
    claims = Claims(canary, hides_login=False, own_texts=OWN_TEXTS)
    changed = mutations.of_conversation(server.turns, 60, seed=1)
    codes = await withstand(changed, lambda port: run(port, password, seconds=DEADLINE), claims)
    assert {"protocol_error", "deadline"} & codes
