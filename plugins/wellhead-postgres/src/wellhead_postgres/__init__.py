"""Data sources in PostgreSQL: type `postgres`."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Literal

import wellhead
from wellhead_postgres.errors import ERRORS

SERVICE = "PostgreSQL"
SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
SILENT = "A PostgreSQL server answers at once, and this one said nothing. Check that host and port belong to one."
PATIENCE = 0.8
"""The part of the time that is left for which a server may say nothing."""
READ_ONLY = "BEGIN READ ONLY; SET LOCAL statement_timeout = 5000"

READABLE = """
    SELECT count(*) AS relations, count(*) FILTER (WHERE
        has_schema_privilege(c.relnamespace, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')) AS readable
    FROM (
        SELECT c.oid, c.relnamespace
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
        LIMIT 10000
    ) c
"""
"""How many tables and views there are, of the first ten thousand, and how many of them may be read."""

GRANT_READING = (
    "Let the owner grant it: `GRANT USAGE ON SCHEMA <schema> TO <user>; "
    "GRANT SELECT ON ALL TABLES IN SCHEMA <schema> TO <user>;`."
)
GRANT_CONNECTING = "Let the owner of the database grant it: `GRANT CONNECT ON DATABASE <database> TO <user>;`."

ENVIRONMENT = {
    "PGHOST": "host",
    "PGPORT": "port",
    "PGDATABASE": "database",
    "PGUSER": "username",
    "PGPASSWORD": "password",
    "PGSSLMODE": "tls_mode",
    "PGAPPNAME": "application_name",
}
"""The variables that PostgreSQL's own tools read (documentation, 34.15)."""


class PostgresDataSource(wellhead.DatabaseDataSource):
    """A PostgreSQL database."""

    connection_schemes: ClassVar[tuple[str, ...]] = ("postgresql", "postgres")
    connection_options: ClassVar[dict[str, str]] = {"sslmode": "tls_mode", "application_name": "application_name"}

    type: Literal["postgres"] = "postgres"
    port: wellhead.Port = wellhead.field(5432, description="TCP port of the server.", order=11)
    application_name: str = wellhead.field(
        "wellhead", description="Name that the server shows for the connection.", max_length=63, harmless=True
    )


class PostgresValidator(wellhead.Validator[PostgresDataSource]):
    """Connect, log in, run a query, and look at what may be read."""

    steps = ("resolve", "connect", "tls", "authenticate", "query", "permissions")

    async def validate(self, config: PostgresDataSource, context: wellhead.ValidationContext) -> None:
        """Go through the steps of a connection, each a check of its own."""
        from wellhead_postgres import login  # noqa: PLC0415  # the driver is imported when it is needed

        stream = await context.connect(config.host, config.port, service=SERVICE)
        async with context.check("tls", fields=["/tls_mode", "/host"]):
            await secure(stream, config, context)
        certificate = ["/client_certificate", "/client_key"] if config.client_certificate else []
        async with context.check("authenticate", fields=["/username", "/password", "/database", *certificate]):
            try:
                connection = await login.log_in(stream, config, application_name=config.application_name)
            except login.NoConnectPrivilegeError:
                raise wellhead.CheckFailedError("permission_denied", hint=GRANT_CONNECTING) from None
            except login.NotPermittedError as error:
                is_refused = type(error) is login.NotPermittedError  # a wrong password is one of its subclasses
                if is_refused and config.tls_mode == "disable" and await offers_tls(config, context):
                    raise wellhead.CheckFailedError("tls_required", fields=["/tls_mode", "/username"]) from None
                raise
        async with context.check("query", fields=["/database"]):
            await look_around(connection, context)
        async with context.check("permissions", fields=["/username"]):
            await look_for_tables(connection, context)
        await login.log_out(connection)


async def secure(stream: wellhead.Stream, config: PostgresDataSource, context: wellhead.ValidationContext) -> None:
    """Ask for TLS, unless it is disabled (PostgreSQL documentation, 55.2.11)."""
    tls = context.tls(config)
    if tls is None:
        return
    answer = await ask_for_tls(stream, context)
    if answer == b"N":
        raise wellhead.CheckFailedError("tls_not_offered", fields=["/tls_mode"])
    if answer != b"S":
        raise wellhead.CheckFailedError("protocol_error", fields=["/host", "/port"])
    await stream.start_tls(tls, server_hostname=config.host)
    context.detail("tls_version", stream.tls_version)


async def ask_for_tls(stream: wellhead.Stream, context: wellhead.ValidationContext) -> bytes:
    """Ask for TLS; what does not answer is asked who it is."""
    await stream.write(SSL_REQUEST)
    try:
        async with asyncio.timeout(context.remaining * PATIENCE):
            return await stream.read(1)
    except TimeoutError:
        await stream.sound_out(seconds=context.remaining / 2)
        raise wellhead.CheckFailedError("connection_timeout", hint=SILENT, fields=["/host", "/port"]) from None


async def offers_tls(config: PostgresDataSource, context: wellhead.ValidationContext) -> bool:
    """Ask on a second connection whether the server speaks TLS."""
    try:
        stream = await context.connect(config.host, config.port)
        await stream.write(SSL_REQUEST)
        return await stream.read(1) == b"S"
    except (OSError, wellhead.CheckFailedError):
        return False


async def look_around(connection: Any, context: wellhead.ValidationContext) -> None:
    """Run queries that every user may run. What they return is made sure of: it comes from outside."""
    await connection.execute(READ_ONLY)
    version = int(await connection.fetchval("SELECT current_setting('server_version_num')::int"))
    context.detail("server_version", f"{version // 10000}.{version % 10000}")
    context.detail("read_only_replica", bool(await connection.fetchval("SELECT pg_is_in_recovery()")))


async def look_for_tables(connection: Any, context: wellhead.ValidationContext) -> None:
    """Count what may be read."""
    found = await connection.fetchrow(READABLE)
    relations, readable = int(found["relations"]), int(found["readable"])
    context.detail("tables_and_views", relations)
    context.detail("readable", readable)
    if relations and not readable:
        context.warn("nothing_readable", hint=GRANT_READING)


@wellhead.hookimpl
def wellhead_data_source_types() -> list[wellhead.DataSourceType]:
    """Provide the type `postgres`."""
    return [
        wellhead.DataSourceType(
            PostgresDataSource,
            PostgresValidator,
            title="PostgreSQL",
            icon="🐘",
            errors=ERRORS,
            environment=ENVIRONMENT,
            preload=["wellhead_postgres.login"],
        )
    ]
