"""Each type at the port of another type's real server: what is said of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from support.mariadb import MariaDB, mariadb  # noqa: F401  # pytest finds fixtures by their names here
from support.postgres import Postgres, postgres  # noqa: F401  # as above
from support.validating import SHARED, last
from wellhead import DataSourceTypeRegistry, DataSourceValidationService
from wellhead.guard.files import FileGuard
from wellhead.model.result import Check
from wellhead.plugins.loader import load_plugins
from wellhead.plugins.origin import origin_of
from wellhead.secrets.references import References

pytestmark = pytest.mark.anyio

DATABASE = {"host": "127.0.0.1", "database": "shop", "username": "reader"}


async def check_of(type_name: str, port: int, **changes: Any) -> Check:
    """Validate a data source of a type at a port; return the check that failed."""
    registry = DataSourceTypeRegistry()
    load_plugins(registry)
    model, _ = registry.get_type(type_name)
    place = {"url": f"http://127.0.0.1:{port}"} if type_name == "api" else DATABASE | {"port": port}
    config = model(name="a", **(place | changes))
    files = FileGuard(Path("/tmp"))
    service = DataSourceValidationService(
        registry.describe,
        locate=lambda name: origin_of(registry.describe(name)),
        pool=SHARED,
        files=files,
        references=References(environment={}),
        timeout=3,
    )
    try:
        return last(await service.validate(config))
    finally:
        files.close()


@contextlib.asynccontextmanager
async def an_api() -> AsyncIterator[int]:
    """Run an HTTP server."""
    server = TestServer(web.Application(), host="127.0.0.1")
    await server.start_server(access_log=None)
    try:
        yield server.port or 0
    finally:
        await server.close()


def named(check: Check, answers: str, expected: str) -> bool:
    """Tell whether a check names the service that answers."""
    return (check.code, check.message) == ("wrong_service", f"This port answers like {answers}, not like {expected}.")


@pytest.mark.parametrize("mode", ["verify-full", "disable"])
async def test_postgres_at_a_mariadb(mariadb: MariaDB, mode: str) -> None:  # noqa: F811
    assert named(await check_of("postgres", mariadb.port, tls_mode=mode), "MySQL", "PostgreSQL")


async def test_api_at_a_mariadb(mariadb: MariaDB) -> None:  # noqa: F811
    assert named(await check_of("api", mariadb.port), "MySQL", "HTTP")


@pytest.mark.parametrize("mode", ["verify-full", "disable"])
async def test_mysql_at_a_postgresql(postgres: Postgres, mode: str) -> None:  # noqa: F811
    assert named(await check_of("mysql", postgres.port, tls_mode=mode), "PostgreSQL", "MySQL")


async def test_api_at_a_postgresql_which_only_hangs_up(postgres: Postgres) -> None:  # noqa: F811
    check = await check_of("api", postgres.port)

    assert check.code == "connection_lost"
    assert "host and port belong to a server of this type" in (check.hint or "")


async def test_mysql_at_an_api() -> None:
    async with an_api() as port:
        assert named(await check_of("mysql", port), "HTTP", "MySQL")


async def test_postgres_at_an_api() -> None:
    async with an_api() as port:
        assert named(await check_of("postgres", port), "HTTP", "PostgreSQL")


async def test_a_port_that_says_nothing_is_told_before_the_time_is_over() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        for type_name in ("mysql", "postgres"):
            check = await check_of(type_name, port)
            assert (check.name, check.code) == ("tls", "connection_timeout")
            assert "said nothing" in (check.hint or "")
