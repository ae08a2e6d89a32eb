"""Data sources in PostgreSQL: type `postgres`.

The driver, asyncpg, neither dials nor speaks TLS here: it gets a connection that core has made and guarded. So none of
what it would take from its surroundings (`PGPASSWORD`, `~/.pgpass`, `~/.postgresql`, `SSLKEYLOGFILE`) can come in.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Literal

import wellhead

SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
MAX_LOGIN_BYTES = 64 * 1024
MAX_SESSION_BYTES = 1 << 20
AUTH_OK, AUTH_CLEAR, AUTH_MD5, AUTH_SASL = 0, 3, 5, 10
AUTH_WITH_PASSWORD = frozenset((AUTH_CLEAR, AUTH_MD5, AUTH_SASL))
AUTH_KNOWN = AUTH_WITH_PASSWORD | {AUTH_OK, 11, 12}
READ_ONLY = "BEGIN READ ONLY; SET LOCAL statement_timeout = 5000"

READABLE = """
    SELECT count(*) AS relations, count(*) FILTER (WHERE has_table_privilege(c.oid, 'SELECT')) AS readable
    FROM (
        SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
        LIMIT 10000
    ) c
"""
"""How many tables and views there are, of the first ten thousand, and how many of them may be read."""

ERRORS = {
    "InvalidPasswordError": "auth_failed",
    "InvalidAuthorizationSpecificationError": "login_not_permitted",
    "InvalidCatalogNameError": "database_not_found",
    "InsufficientPrivilegeError": "permission_denied",
    "TooManyConnectionsError": "too_many_connections",
    "CannotConnectNowError": "server_starting",
    "QueryCanceledError": "query_failed",
    "PostgresError": "query_failed",
    "ConnectionDoesNotExistError": "connection_lost",
    "UnsupportedAuthenticationMethodError": "auth_method_unsupported",
}


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

    steps: ClassVar[tuple[str, ...]] = ("resolve", "connect", "tls", "authenticate", "query", "permissions")

    async def validate(self, config: PostgresDataSource, context: wellhead.ValidationContext) -> None:
        """Go through the steps of a connection, each a check of its own."""
        stream = await context.connect(config.host, config.port)
        async with context.check("tls", fields=["/tls_mode", "/host"]):
            await secure(stream, config, context)
        async with context.check("authenticate", fields=["/username", "/password", "/database"]):
            connection = await log_in(stream, config)
        async with context.check("query", fields=["/database"]):
            await connection.execute(READ_ONLY)
            version = await connection.fetchval("SELECT current_setting('server_version_num')::int")
            context.detail("server_version", f"{version // 10000}.{version % 10000}")
            context.detail("read_only_replica", await connection.fetchval("SELECT pg_is_in_recovery()"))
        async with context.check("permissions", fields=["/username"]):
            found = await connection.fetchrow(READABLE)
            context.detail("tables_and_views", found["relations"])
            context.detail("readable", found["readable"])
            if found["relations"] and not found["readable"]:
                context.warn("nothing_readable")
        await connection.close(timeout=1)


async def secure(stream: wellhead.Stream, config: PostgresDataSource, context: wellhead.ValidationContext) -> None:
    """Ask for TLS, unless it is disabled (PostgreSQL documentation, 55.2.11)."""
    tls = context.tls(config)
    if tls is None:
        return
    await stream.write(SSL_REQUEST)
    answer = await stream.read(1)
    if answer == b"N":
        raise wellhead.CheckFailedError("tls_not_offered", fields=["/tls_mode"])
    if answer != b"S":
        raise wellhead.CheckFailedError("protocol_error", fields=["/host", "/port"])
    await stream.start_tls(tls, server_hostname=config.host)
    context.detail("tls_version", stream.tls_version)


async def log_in(stream: wellhead.Stream, config: PostgresDataSource) -> Any:
    """Let asyncpg log in over the stream, and return its connection."""
    import asyncpg
    from asyncpg.connect_utils import SSLMode, SSLNegotiation, _ClientConfiguration, _ConnectionParameters

    loop = asyncio.get_running_loop()
    address = (config.host, config.port)
    parameters = _ConnectionParameters(
        user=config.username,
        password=config.password.reveal() if config.password is not None else None,
        database=config.database,
        ssl=None,
        sslmode=SSLMode.disable,
        ssl_negotiation=SSLNegotiation.postgres,
        server_settings={"application_name": config.application_name},
        target_session_attrs=None,
        krbsrvname=None,
        gsslib=None,
    )
    settings = _ClientConfiguration(
        command_timeout=None,
        statement_cache_size=0,
        max_cached_statement_lifetime=0,
        max_cacheable_statement_size=0,
    )
    logged_in: asyncio.Future[Any] = loop.create_future()
    protocol = asyncpg.protocol.Protocol(address, logged_in, parameters, asyncpg.Record, loop)
    may_send_clear = stream.tls_version is not None and config.tls_mode in {"verify-ca", "verify-full"}
    gate = LoginGate(protocol, logged_in, may_send_clear=may_send_clear, has_password=config.password is not None)
    transport = stream.hand_over(gate)
    await logged_in
    connection = asyncpg.Connection(protocol, transport, loop, address, settings, parameters)
    protocol.set_connection(connection)
    return connection


class LoginGate(asyncio.Protocol):
    """Stands between the connection and asyncpg, and reads what the server asks for before asyncpg answers it.

    asyncpg sends the password in clear text to any server that asks, and keeps whatever amount a server sends.
    """

    def __init__(
        self, driver: asyncio.Protocol, logged_in: asyncio.Future[Any], *, may_send_clear: bool, has_password: bool
    ) -> None:
        self._driver = driver
        self._logged_in = logged_in
        self._may_send_clear = may_send_clear
        self._has_password = has_password
        self._transport: asyncio.BaseTransport | None = None
        self._pending = b""
        self._left = MAX_LOGIN_BYTES
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the driver send its startup message."""
        self._transport = transport
        self._driver.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Pass messages on, up to the login's end one by one, after that as they come."""
        self._left -= len(data)
        if self._left < 0:
            self._refuse("protocol_error")
        elif self._is_open:
            self._driver.data_received(data)
        else:
            self._pending += data
            while self._pass_message():
                pass

    def _pass_message(self) -> bool:
        """Pass one message on, if there is a whole one (PostgreSQL documentation, 55.7)."""
        length = int.from_bytes(self._pending[1:5], "big") + 1
        if len(self._pending) < 5 or (5 <= length and len(self._pending) < length):
            return False
        message, self._pending = self._pending[:length], self._pending[length:]
        code = self._objection(message)
        if code is not None:
            self._refuse(code)
            return False
        self._driver.data_received(message)
        if message[:1] == b"Z":
            self._is_open, self._left = True, MAX_SESSION_BYTES
            self._driver.data_received(self._pending)
            return False
        return True

    def _objection(self, message: bytes) -> str | None:
        """Say why a message is not passed on: a code, or None."""
        if len(message) < 5 or message[:1] not in b"RESKNvZ":
            return "protocol_error"
        method = int.from_bytes(message[5:9], "big") if message[:1] == b"R" else AUTH_OK
        if method == AUTH_CLEAR and not self._may_send_clear:
            return "cleartext_password_refused"
        if method in AUTH_WITH_PASSWORD and not self._has_password:
            return "password_missing"
        return None if method in AUTH_KNOWN else "auth_method_unsupported"

    def _refuse(self, code: str) -> None:
        if not self._logged_in.done():
            self._logged_in.set_exception(wellhead.CheckFailedError(code))
        if isinstance(self._transport, asyncio.Transport):
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the driver that the connection is gone."""
        self._driver.connection_lost(error)

    def pause_writing(self) -> None:
        """Tell the driver to wait."""
        self._driver.pause_writing()

    def resume_writing(self) -> None:
        """Tell the driver to go on."""
        self._driver.resume_writing()


@wellhead.hookimpl
def wellhead_data_source_types() -> list[wellhead.DataSourceType]:
    """Provide the type `postgres`."""
    return [
        wellhead.DataSourceType(PostgresDataSource, PostgresValidator, title="PostgreSQL", icon="🐘", errors=ERRORS)
    ]
