"""Data sources in MySQL and MariaDB: type `mysql`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import wellhead
from wellhead_mysql.errors import ERRORS

SERVICE = "MySQL"
SILENT = "A MySQL server speaks first, and this one said nothing. Check that the host and the port belong to one."
PATIENCE = 0.8
"""The part of the time that is left for which a server may say nothing: some look up our name first."""

VERSION = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){1,2}")
SESSION = (
    "SET SESSION wait_timeout = {seconds} /*M! , SESSION max_statement_time = {seconds} */"
    " /*!50708 , SESSION max_execution_time = {seconds}000 */"
)
"""Limits the time of the session, and of statements: MariaDB executes the first comment, MySQL (5.7.8) the second."""

READ_ONLY = "START TRANSACTION READ ONLY"
READABLE = """
    SELECT COUNT(*), COALESCE(SUM(readable), 0),
        EXISTS (SELECT 1 FROM information_schema.user_privileges WHERE privilege_type = 'SELECT')
        OR EXISTS (SELECT 1 FROM information_schema.schema_privileges
            WHERE privilege_type = 'SELECT' AND DATABASE() LIKE table_schema)
    FROM (
        SELECT MAX(FIND_IN_SET('select', privileges) > 0) AS readable
        FROM information_schema.columns WHERE table_schema = DATABASE() GROUP BY table_name
    ) AS relations
"""
"""How many tables and views the user sees, how many of them may be read, and whether all that come may be read.

A table that a user may do nothing with is not seen; the privileges of columns are the effective ones, roles included.
"""

GRANT_READING = "Let an administrator grant it: `GRANT SELECT ON <database>.* TO <user>;`."


class MysqlDataSource(wellhead.DatabaseDataSource):
    """A MySQL or MariaDB database."""

    connection_schemes: ClassVar[tuple[str, ...]] = ("mysql", "mariadb")
    connection_options: ClassVar[Mapping[str, tuple[str, Mapping[str, str]]]] = {
        "ssl-mode": (
            "tls_mode",
            {
                "DISABLED": "disable",
                "REQUIRED": "require",
                "VERIFY_CA": "verify-ca",
                "VERIFY_IDENTITY": "verify-full",
            },
        )
    }

    type: Literal["mysql"] = "mysql"
    port: wellhead.Port = wellhead.field(3306, description="TCP port of the server.", order=11)


class MysqlValidator(wellhead.Validator[MysqlDataSource]):
    """Connect, log in, run a query, and look at what may be read."""

    steps = ("resolve", "connect", "tls", "authenticate", "query", "permissions")

    async def validate(self, config: MysqlDataSource, context: wellhead.ValidationContext) -> None:
        """Go through the steps of a connection, each a check of its own."""
        from wellhead_mysql import login  # noqa: PLC0415  # the driver is imported when it is needed

        stream = await context.connect(config.host, config.port, service=SERVICE)
        connection = login.GuardedConnection(stream, config)
        async with context.check("tls", fields=["/tls_mode", "/host", "/port"]):
            await greet(connection, stream, context)
            await secure(connection, stream, config, context)
        certificate = ["/client_certificate", "/client_key"] if config.client_certificate else []
        async with context.check("authenticate", fields=["/username", "/password", "/database", *certificate]):
            await connection.log_in(may_send_clear=config.tls_mode in {"verify-ca", "verify-full"})
            await connection.query(READ_ONLY)  # a user whose password has expired is let in, and then may do nothing
        async with context.check("query", fields=["/database"]):
            await look_around(connection, context)
        async with context.check("permissions", fields=["/username"]):
            await look_for_tables(connection, context)
        await connection.log_out()


async def greet(connection: Any, stream: wellhead.Stream, context: wellhead.ValidationContext) -> None:
    """Wait for the server's greeting; a server of another kind may wait for us to speak, and is then asked."""
    try:
        async with asyncio.timeout(context.remaining * PATIENCE):
            await connection.read_greeting()
    except TimeoutError:
        await stream.sound_out(seconds=context.remaining / 2)
        raise wellhead.CheckFailedError("connection_timeout", hint=SILENT, fields=["/host", "/port"]) from None


async def secure(
    connection: Any, stream: wellhead.Stream, config: MysqlDataSource, context: wellhead.ValidationContext
) -> None:
    """Start TLS, unless it is disabled."""
    tls = context.tls(config)
    if tls is None:
        return
    if not connection.offers_tls:
        raise wellhead.CheckFailedError("tls_not_offered", fields=["/tls_mode"])
    await connection.ask_for_tls()
    await stream.start_tls(tls, server_hostname=config.host)
    context.detail("tls_version", stream.tls_version)


async def look_around(connection: Any, context: wellhead.ValidationContext) -> None:
    """Run queries that every user may run. What they return is made sure of: it comes from outside."""
    await connection.query(SESSION.format(seconds=max(1, int(context.remaining))))
    [version] = await connection.first_row("SELECT VERSION()")
    number = VERSION.match(version)
    if number is None:
        raise wellhead.CheckFailedError("protocol_error")
    context.detail("server", "MariaDB" if "mariadb" in version.lower() else "MySQL")
    context.detail("server_version", number[0])


async def look_for_tables(connection: Any, context: wellhead.ValidationContext) -> None:
    """Count what may be read."""
    relations, readable, may_read_all = map(int, await connection.first_row(READABLE))
    context.detail("tables_and_views", relations)
    context.detail("readable", readable)
    if not readable and (relations or not may_read_all):
        context.warn("nothing_readable", hint=GRANT_READING)


@wellhead.hookimpl
def wellhead_data_source_types() -> list[wellhead.DataSourceType]:
    """Provide the type `mysql`."""
    return [
        wellhead.DataSourceType(
            MysqlDataSource,
            MysqlValidator,
            title="MySQL and MariaDB",
            icon="🐬",
            errors=ERRORS,
            environment={"MYSQL_HOST": "host", "MYSQL_TCP_PORT": "port", "MYSQL_PWD": "password"},
            preload=["wellhead_mysql.login"],
        )
    ]
