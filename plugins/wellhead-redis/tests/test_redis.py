"""The type `redis` against a real Redis: what can be wrong, and what is said about it."""

from __future__ import annotations

import socket
from pathlib import Path
from threading import Thread
from typing import Any

import fakeredis
import pytest

from support.canary import Canary
from support.redis import RedisServer
from support.validating import last, validate
from wellhead.codes import CODES
from wellhead.model.result import ValidationResult
from wellhead_redis import RedisDataSource, wellhead_data_source_types

pytestmark = pytest.mark.anyio

[REDIS] = wellhead_data_source_types()
STEPS = ["resolve", "connect", "tls", "authenticate", "query", "permissions"]
LOGIN = ("/username", "/password")
PLAIN: dict[str, Any] = {"tls_mode": "disable", "ca_certificate": None}


async def run(server: RedisServer, *, timeout: float = 10.0, **changes: Any) -> ValidationResult:
    """Validate a configuration that works, but for the changes."""
    fields: dict[str, Any] = {
        "name": "cache",
        "host": "localhost",
        "port": server.port if changes.get("tls_mode") == "disable" else server.tls_port,
        "password": server.password,
        "ca_certificate": server.certificates.ca,
    }
    return await validate(REDIS, RedisDataSource(**(fields | changes)), timeout=timeout)


async def expect(server: RedisServer, check: str, code: str, fields: tuple[str, ...], **changes: Any) -> None:
    """Validate, and claim which check failed and what it said."""
    result = await run(server, **changes)
    failed = last(result)
    assert (failed.name, failed.status, failed.code, failed.fields) == (check, "failed", code, fields)
    assert (failed.message, failed.hint) == (CODES[code].title, CODES[code].remedy)
    assert [one.name for one in result.checks if one.status == "skipped"] == STEPS[STEPS.index(check) + 1 :]


async def test_a_good_configuration_passes_every_check(redis_server: RedisServer) -> None:
    result = await run(redis_server)

    assert result.status == "passed"
    assert [check.name for check in result.checks] == ["secrets", *STEPS]
    version = redis_server.run("INFO", "server")["redis_version"]
    assert result.details == {"tls_version": "TLSv1.3", "server_version": version, "role": "master", "keys": 1}


async def test_another_database_is_looked_at(redis_server: RedisServer) -> None:
    redis_server.run("SET", "second", "two", database=3)
    assert (await run(redis_server, database="3")).details["keys"] == 2


async def test_a_database_that_there_is_not_is_told(redis_server: RedisServer) -> None:
    await expect(redis_server, "query", "database_not_found", ("/database",), database="99")


@pytest.mark.parametrize(
    "login", [{"password": "not it"}, {"username": "nobody"}, {"username": "switched_off"}, {"username": "zwölf"}]
)
async def test_a_wrong_login_is_told(redis_server: RedisServer, login: dict[str, str]) -> None:
    await expect(redis_server, "authenticate", "auth_failed", LOGIN, **login)


async def test_a_password_that_is_missing_is_told(redis_server: RedisServer) -> None:
    await expect(redis_server, "authenticate", "password_missing", LOGIN, password=None)


@pytest.mark.parametrize("password", ["pässwörd", "' \" \\ % @ : / ?", " spaces ", "x" * 9000])
async def test_any_password_logs_in(redis_server: RedisServer, password: str) -> None:
    redis_server.run("ACL", "SETUSER", "anybody", "on", "resetpass", f">{password}", "~*", "+@all")
    assert (await run(redis_server, username="anybody", password=password)).status == "passed"
    await expect(redis_server, "authenticate", "auth_failed", LOGIN, username="anybody", password=password + "x")


async def test_a_user_without_a_password_may_have_any(redis_server: RedisServer) -> None:
    assert (await run(redis_server, username="free")).status == "passed"


async def test_a_user_who_may_only_read_passes(redis_server: RedisServer) -> None:
    result = await run(redis_server, username="reader")
    assert (result.status, result.details["keys"]) == ("passed", 1)


async def test_a_user_who_may_do_little_passes_with_a_warning(redis_server: RedisServer) -> None:
    result = await run(redis_server, username="application")
    assert (result.status, result.details["keys"]) == ("warning", None)
    [warning] = result.warnings
    assert (warning.name, warning.code, warning.fields) == ("permissions", "permission_denied", ("/username",))


async def test_a_user_who_may_not_use_the_database_is_told(redis_server: RedisServer) -> None:
    await expect(redis_server, "query", "permission_denied", ("/database",), username="application", database="3")


async def test_a_server_that_is_full_is_told(redis_server: RedisServer) -> None:
    redis_server.run("CONFIG", "SET", "maxclients", "1")
    try:
        with socket.create_connection(("127.0.0.1", redis_server.port)) as taken:
            taken.sendall(b"PING\r\n")
            taken.recv(100)
            await expect(redis_server, "authenticate", "too_many_connections", LOGIN, **PLAIN)
    finally:
        redis_server.run("CONFIG", "SET", "maxclients", "1000")


async def test_without_tls_it_works_with_a_warning(redis_server: RedisServer) -> None:
    result = await run(redis_server, **PLAIN)
    assert [(check.name, check.code) for check in result.warnings] == [("tls", "tls_disabled")]
    assert "tls_version" not in result.details


@pytest.mark.parametrize("mode", ["require", "verify-ca"])
async def test_weaker_tls_works_with_a_warning(redis_server: RedisServer, mode: str) -> None:
    result = await run(redis_server, tls_mode=mode, **({"ca_certificate": None} if mode == "require" else {}))
    assert [check.code for check in result.warnings] == ["tls_unverified"]


async def test_a_client_certificate_is_shown(redis_server: RedisServer) -> None:
    client = redis_server.certificates.client
    shown = {"client_certificate": client.certificate, "client_key": client.key}
    redis_server.run("CONFIG", "SET", "tls-auth-clients", "yes")
    try:
        assert (await run(redis_server, **shown)).status == "passed"
        assert last(await run(redis_server)).status == "failed"
    finally:
        redis_server.run("CONFIG", "SET", "tls-auth-clients", "optional")


async def test_a_certificate_by_an_unknown_authority_is_told(redis_server: RedisServer) -> None:
    fields = ("/tls_mode", "/host", "/port")
    ours = redis_server.certificates.other_ca
    await expect(redis_server, "tls", "certificate_untrusted", fields, ca_certificate=ours)


async def test_a_port_without_tls_is_told_and_gets_no_password(redis_server: RedisServer) -> None:
    result = await run(redis_server, port=redis_server.port, timeout=3)
    assert (last(result).name, last(result).code) == ("tls", "tls_not_offered")
    assert last(result).fields == ("/tls_mode",)


async def test_a_port_with_tls_is_told_where_none_is_asked_for(redis_server: RedisServer) -> None:
    result = await run(redis_server, **(PLAIN | {"port": redis_server.tls_port}))
    assert (last(result).name, last(result).code) == ("authenticate", "connection_lost")


async def test_a_port_on_which_nothing_listens(redis_server: RedisServer) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        await expect(redis_server, "connect", "connection_refused", ("/host", "/port"), host="127.0.0.1", port=port)


async def test_the_redis_of_this_machine_is_validated(redis_of_this_machine: RedisServer) -> None:
    result = await run(redis_of_this_machine, **PLAIN, password=None)
    assert result.success
    assert result.details["role"] in {"master", "replica"}


@pytest.fixture
def stand_in() -> Any:
    """fakeredis, a stand-in for Redis in pure Python, which runs where no Redis is installed."""
    server = fakeredis.TcpFakeServer(("127.0.0.1", 0))
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield RedisServer(server.server_address[1])
    server.shutdown()
    server.server_close()
    thread.join()


async def test_the_stand_in_is_validated(stand_in: RedisServer) -> None:
    result = await run(stand_in, **PLAIN, password=None)
    assert result.success, result
    assert result.details["keys"] == 0


async def test_no_check_holds_a_password_or_a_text_of_the_server(redis_server: RedisServer, canary: Canary) -> None:
    for changes in ({}, {"username": "nobody"}, {"database": "99"}, PLAIN):
        canary.saw(str((await run(redis_server, password=canary.plain_secret(), **changes)).as_document()))


async def test_nothing_of_the_surroundings_comes_in(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REDISCLI_AUTH", "REDIS_URL", "REDIS_PASSWORD"):
        monkeypatch.setenv(name, redis_server.password)
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.log"))
    assert last(await run(redis_server, password=None)).code == "password_missing"
    assert not (tmp_path / "keys.log").exists()


@pytest.mark.parametrize("database", ["", "-1", "01", "a", "1 ", "100000", "0\n"])
def test_a_database_is_a_number(database: str) -> None:
    with pytest.raises(ValueError, match="database"):
        RedisDataSource(name="a", host="h", database=database)


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_a_connection_string_is_taken_apart_and_does_not_turn_tls_off(scheme: str) -> None:
    text = f"{scheme}://reader:p%40ss@cache.example.com:6380/2"
    config = RedisDataSource(**RedisDataSource.expand_input({"name": "a", "connection_string": text}))
    assert (config.host, config.port, config.database, config.username) == ("cache.example.com", 6380, "2", "reader")
    assert config.password is not None
    assert (config.password.reveal(), config.tls_mode) == ("p@ss", "verify-full")
