"""Logging in with asyncpg over a connection that core has made and guarded.

asyncpg neither dials nor speaks TLS here. So none of what it would take from its surroundings (`PGPASSWORD`,
`~/.pgpass`, `~/.postgresql`, `SSLKEYLOGFILE`) can come in.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from typing import Any

import asyncpg
from asyncpg.connect_utils import SSLMode, SSLNegotiation, _ClientConfiguration, _ConnectionParameters

import wellhead

MAX_LOGIN_BYTES = 64 * 1024
MAX_SESSION_BYTES = 1 << 20
HEAD = 5
OK, CLEAR, MD5, SASL, SASL_CONTINUE, SASL_FINAL = 0, 3, 5, 10, 11, 12
WITH_PASSWORD = frozenset((CLEAR, MD5, SASL))
FOLLOWERS = {
    None: WITH_PASSWORD | {OK},
    CLEAR: {OK},
    MD5: {OK},
    SASL: {SASL_CONTINUE},
    SASL_CONTINUE: {SASL_FINAL},  # with it the server shows that it knows the password too (RFC 5802)
    SASL_FINAL: {OK},
    OK: frozenset[int](),
}
"""Which authentication request may follow which."""
MILLIONS_OF_ROUNDS = re.compile(rb",i=\d{7}")
"""A SCRAM request whose answer takes seconds of computing."""

NotPermittedError = asyncpg.InvalidAuthorizationSpecificationError
NoConnectPrivilegeError = asyncpg.InsufficientPrivilegeError


async def log_in(
    stream: wellhead.Stream, config: wellhead.DatabaseDataSource, *, application_name: str
) -> asyncpg.Connection:
    """Let asyncpg log in over the stream, and return its connection."""
    loop = asyncio.get_running_loop()
    address = (config.host, config.port)
    parameters = _ConnectionParameters(
        user=config.username,
        password=config.password.reveal() if config.password is not None else None,
        database=config.database,
        ssl=None,
        sslmode=SSLMode.disable,
        ssl_negotiation=SSLNegotiation.postgres,
        server_settings={"application_name": application_name},
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
    gate = LoginGate(
        protocol,
        logged_in,
        may_send_clear=may_send_clear,
        has_password=config.password is not None,
        shows_certificate=config.client_certificate is not None,
    )
    transport = stream.hand_over(gate)
    await logged_in
    connection = StayingConnection(protocol, transport, loop, address, settings, parameters)
    protocol.set_connection(connection)
    return connection


async def log_out(connection: asyncpg.Connection) -> None:
    """Say goodbye, so that the server's log has no complaint; whether it hears that does not matter."""
    with contextlib.suppress(Exception):
        await connection.close(timeout=0.2)


class StayingConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg comes without types
    """A connection that opens no other: asyncpg would dial the server anew, unguarded, to cancel a query."""

    def _cancel_current_command(self, *_waiters: asyncio.Future[None]) -> None:
        self._transport.abort()

    def __del__(self) -> None:
        """Do nothing: the stream is core's, and core closes it."""


class LoginGate(asyncio.Protocol):
    """Stands between the connection and asyncpg, and reads what the server asks for before asyncpg answers it.

    asyncpg sends the password in clear text to any server that asks, computes whatever a server tells it to, and keeps
    whatever amount a server sends.
    """

    def __init__(
        self,
        driver: asyncio.Protocol,
        logged_in: asyncio.Future[Any],
        *,
        may_send_clear: bool,
        has_password: bool,
        shows_certificate: bool,
    ) -> None:
        self._driver = driver
        self._logged_in = logged_in
        self._may_send_clear = may_send_clear
        self._has_password = has_password
        self._shows_certificate = shows_certificate
        self._transport: asyncio.BaseTransport | None = None
        self._pending = b""
        self._left = MAX_LOGIN_BYTES
        self._request: int | None = None
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
            self._pass_on(data)
        else:
            self._pending += data
            while not self._logged_in.done() and self._pass_message():
                pass

    def _pass_message(self) -> bool:
        """Pass one message on, if there is a whole one (PostgreSQL documentation, 55.7)."""
        length = int.from_bytes(self._pending[1:HEAD], "big") + 1
        if not self._may_come(self._pending[:1]):  # said at once: what another service says has no length to wait for
            self._refuse("protocol_error")
            return False
        if len(self._pending) < HEAD or HEAD <= length > len(self._pending):
            return False
        message, self._pending = self._pending[:length], self._pending[length:]
        code = self._objection(message)
        if code is not None:
            self._refuse(code)
            return False
        self._pass_on(message)
        if message[:1] == b"Z":
            self._is_open, self._left = True, MAX_SESSION_BYTES
            self._pass_on(self._pending)
        return True

    def _pass_on(self, data: bytes) -> None:
        """Let the driver read it; what it raises, asyncio would log with all that is in it."""
        try:
            self._driver.data_received(data)
        except Exception:  # noqa: BLE001  # it raises anything when a server sends what it did not expect
            self._refuse("protocol_error")

    def _objection(self, message: bytes) -> str | None:
        """Say why a message is not passed on: a code, or None."""
        if len(message) < HEAD:
            return "protocol_error"
        return self._objection_to_request(message[HEAD:]) if message[:1] == b"R" else None

    def _may_come(self, kind: bytes) -> bool:
        return kind in (b"RESKNvZ" if self._request == OK else b"RENv")

    def _objection_to_request(self, request: bytes) -> str | None:
        before, self._request = self._request, int.from_bytes(request[:4], "big")
        if self._request not in FOLLOWERS:
            return "auth_method_unsupported"
        if self._request not in FOLLOWERS[before] or MILLIONS_OF_ROUNDS.search(request):
            return "protocol_error"
        if self._request == CLEAR and not self._may_send_clear:
            return "cleartext_password_refused"
        return "password_missing" if self._request in WITH_PASSWORD and not self._has_password else None

    def _refuse(self, code: str) -> None:
        if not self._logged_in.done():
            self._logged_in.set_exception(wellhead.CheckFailedError(code))
        if isinstance(self._transport, asyncio.Transport):
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the driver that the connection is gone."""
        if isinstance(error, ssl.SSLError) and not self._logged_in.done():
            self._logged_in.set_exception(error)  # such as an alert about our certificate
        elif self._shows_certificate and self._request is None and not self._logged_in.done():
            # In TLS 1.3 a server refuses a certificate only now, and its closing can overtake its alert.
            self._logged_in.set_exception(wellhead.CheckFailedError("client_certificate_invalid"))
        self._driver.connection_lost(error)

    def pause_writing(self) -> None:
        """Tell the driver to wait."""
        self._driver.pause_writing()

    def resume_writing(self) -> None:
        """Tell the driver to go on."""
        self._driver.resume_writing()
