"""Data sources in Redis and Valkey: type `redis`."""

import asyncio
import re
from typing import ClassVar, Literal

import wellhead

FACTS = re.compile(r"\b(?:version (?P<server_version>[0-9.]{1,12})|role (?P<role>master|replica))\b")
DRIVER = ("wellhead_redis.conversation",)
ERRORS = {  # by the server's words, which redis-py keeps as they are, or by the class of what redis-py raises
    "Authentication required.": "password_missing",
    "DB index is out of range": "database_not_found",
    "max number of clients reached": "too_many_connections",
    "AuthenticationError": "auth_failed",
    "NoPermissionError": "permission_denied",
    "BusyLoadingError": "server_starting",
    "MasterDownError": "database_unavailable",
    "ResponseError": "query_failed",
    **dict.fromkeys(("RedisError", "TypeError", "RecursionError"), "protocol_error"),
}


class RedisDataSource(wellhead.DatabaseDataSource):
    """A database of a Redis or Valkey server."""

    connection_schemes: ClassVar[tuple[str, ...]] = ("rediss", "redis")
    type: Literal["redis"] = "redis"
    port: wellhead.Port = wellhead.field(6379, description="TCP port of the server.")
    database: str = wellhead.field("0", pattern="^(0|[1-9][0-9]{0,4})$", description="Number of the database.")
    username: str = wellhead.field("default", min_length=1, max_length=128, description="User to log in as.")


class RedisValidator(wellhead.Validator[RedisDataSource]):
    """Connect, log in, ask the server what it is, and count the keys."""

    steps = ("resolve", "connect", "tls", "authenticate", "query", "permissions")

    async def validate(self, config: RedisDataSource, context: wellhead.ValidationContext) -> None:
        """Go through the steps of a connection, each a check of its own."""
        from wellhead_redis.conversation import Conversation  # noqa: PLC0415  # the driver is imported when it is needed

        stream = await context.connect(config.host, config.port, service="Redis")
        async with context.check("tls", fields=["/tls_mode", "/host", "/port"]):
            if (tls := context.tls(config)) is not None:
                try:
                    async with asyncio.timeout(context.remaining / 2):
                        await stream.start_tls(tls, server_hostname=config.host)
                except TimeoutError:  # without TLS, Redis waits for the end of what it takes for a command
                    plain = await context.connect(config.host, config.port)
                    await plain.write(b"PING\r\n")
                    await plain.read_line()
                    raise wellhead.CheckFailedError("tls_not_offered", fields=["/tls_mode"]) from None
                context.detail("tls_version", stream.tls_version)
        server = Conversation(stream)
        async with context.check("authenticate", fields=["/username", "/password"]):
            if config.password is not None:
                await server.ask("AUTH", config.username, config.password.reveal())
            await server.ask("PING", if_allowed=True)
        async with context.check("query", fields=["/database"]):
            await server.ask("SELECT", config.database, if_allowed=config.database == "0")
            for found in FACTS.finditer(" ".join(map(str, await server.ask("HELLO", "2")))):
                context.detail(str(found.lastgroup), found[str(found.lastgroup)])
        async with context.check("permissions", fields=["/username"]):
            if (keys := await server.ask("DBSIZE", if_allowed=True)) is None:
                context.warn("permission_denied", "The user may not count the keys.")
            context.detail("keys", None if keys is None else int(keys))


@wellhead.hookimpl
def wellhead_data_source_types() -> list[wellhead.DataSourceType]:
    """Provide the type `redis`."""
    return [
        wellhead.DataSourceType(
            RedisDataSource,
            RedisValidator,
            icon="🟥",
            errors=ERRORS,
            environment={"REDISCLI_AUTH": "password"},
            preload=DRIVER,
        )
    ]
