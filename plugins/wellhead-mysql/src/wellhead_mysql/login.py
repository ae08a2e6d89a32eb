"""Logging in with aiomysql over a connection that core has made and guarded.

aiomysql neither dials nor starts TLS here. So it cannot go on without TLS where that was asked for, and what it would
take from its surroundings (option files, a socket of this machine) cannot come in.
"""

from __future__ import annotations

import contextlib
import struct
from typing import Any

import aiomysql

import wellhead
from wellhead_mysql.errors import ERRORS, HINTS

MAX_LOGIN_BYTES = 64 * 1024
MAX_SESSION_BYTES = 1 << 20
PROTOCOL = 10
TLS, MULTI_STATEMENTS = 1 << 11, 1 << 16
UTF8 = 45
"""The number of the character set utf8mb4."""
QUIT = b"\1\0\0\0\1"
ACCESS_DENIED = 1045

NATIVE, SHA2 = "mysql_native_password", "caching_sha2_password"
SCRAMBLED = frozenset((NATIVE.encode(), SHA2.encode()))
CLEAR = frozenset((b"mysql_clear_password", b"sha256_password"))
SHA2_WANTS_PASSWORD = b"\1\4"

CLEAR_HINT = (
    "Set `tls_mode` to `verify-full` or `verify-ca`: MySQL's caching_sha2_password and sha256_password hand the "
    "password itself to the server, and that is done only inside TLS with a checked certificate."
)
TLS_HINT = (
    "Check both; copy the password anew. The server offers TLS, and may let this user in only with it: set `tls_mode` "
    "to `verify-full`."
)


class GuardedConnection(aiomysql.Connection):  # type: ignore[misc]  # aiomysql comes without types
    """A connection over a stream of core's, that answers only what it should.

    aiomysql sends the password in clear text to any server that asks, or encrypted with any key that a server names,
    and keeps whatever amount a server sends.
    """

    def __init__(self, stream: wellhead.Stream, config: wellhead.DatabaseDataSource) -> None:
        password = config.password.reveal() if config.password is not None else ""
        super().__init__(
            host=config.host,
            port=config.port,
            user=config.username,
            password=password.encode().decode("latin-1"),  # which aiomysql encodes as Latin-1: the server wants UTF-8
            db=config.database,
            charset="utf8mb4",
        )
        self.client_flag &= ~MULTI_STATEMENTS
        self._connect_attrs = {"program_name": "wellhead"}  # and not, as by default, the number of this process
        self._next_seq_id = 0
        self._stream = stream
        self._unsent = b""
        self._left = MAX_LOGIN_BYTES
        self._refuses_clear = False
        self._answer: Any = None
        self._shows_certificate = config.client_certificate is not None
        self._lost = "connection_lost"

    @property
    def offers_tls(self) -> bool:
        """Whether the server speaks TLS."""
        return bool(self.server_capabilities & TLS)

    async def read_greeting(self) -> None:
        """Read what the server says of itself (MySQL documentation, Protocol::HandshakeV10)."""
        await self._get_server_information()
        if self.protocol_version != PROTOCOL:
            raise wellhead.CheckFailedError("protocol_error", fields=["/host", "/port"])
        # To a greeting that names another way, aiomysql would answer with the password in clear text.
        self._client_auth_plugin = SHA2 if self._server_auth_plugin == SHA2 else NATIVE

    async def ask_for_tls(self) -> None:
        """Ask the server to start TLS (MySQL documentation, Protocol::SSLRequest)."""
        self.client_flag |= TLS
        self._lost = "client_certificate_invalid" if self._shows_certificate else "connection_lost"
        self.write_packet(struct.pack("<IIB23x", self.client_flag, MAX_SESSION_BYTES, UTF8))
        await self._send()

    async def log_in(self, *, may_send_clear: bool) -> None:
        """Log in.

        Args:
            may_send_clear: The connection has TLS, and the server's certificate was checked.
        """
        self._secure = may_send_clear
        self._refuses_clear = not may_send_clear
        try:
            await self._request_authentication()
        except aiomysql.OperationalError as error:
            self._explain(error.args[0])
            raise
        if not self._answer.is_ok_packet():  # which aiomysql does not look at
            raise wellhead.CheckFailedError("protocol_error")
        self._refuses_clear = False
        self._left, self._lost = MAX_SESSION_BYTES, "connection_lost"

    async def first_row(self, sql: str) -> tuple[Any, ...]:
        """Run a query, and return the first row. With a cursor of aiomysql, Python would print the server's warnings.

        Args:
            sql: A query of our own, with no value of anybody else in it.
        """
        await self.query(sql)
        row: tuple[Any, ...] = self._result.rows[0]
        return row

    async def log_out(self) -> None:
        """Say goodbye, so that the server's log has no complaint; whether it hears that does not matter."""
        with contextlib.suppress(OSError):
            await self._stream.write(QUIT)

    def _explain(self, number: object) -> None:
        """Raise what says more than the number of the server's error; a text there is aiomysql's own complaint."""
        if not isinstance(number, int):
            raise wellhead.CheckFailedError("protocol_error") from None
        if number == ACCESS_DENIED and not self._password:
            raise wellhead.CheckFailedError("password_missing") from None
        if number == ACCESS_DENIED and self.offers_tls and self._stream.tls_version is None:
            raise wellhead.CheckFailedError("auth_failed", hint=TLS_HINT) from None
        if number in HINTS:
            raise wellhead.CheckFailedError(ERRORS[str(number)], hint=HINTS[number]) from None

    async def _process_auth(self, plugin_name: bytes, auth_packet: Any) -> Any:
        """Answer a request for another way of logging in, if it is one that may be answered."""
        if plugin_name in CLEAR and self._refuses_clear:
            raise wellhead.CheckFailedError("cleartext_password_refused", hint=CLEAR_HINT)
        if plugin_name not in CLEAR | SCRAMBLED:
            raise wellhead.CheckFailedError("auth_method_unsupported")
        auth_packet._data = auth_packet._data.removesuffix(b"\0")  # aiomysql takes this mark for a part of the salt
        return await super()._process_auth(plugin_name, auth_packet)

    async def _read_packet(self, *kind: Any) -> Any:
        """Read a packet; a request for the password itself, which aiomysql would encrypt with any key, is refused."""
        self._answer = await super()._read_packet(*kind)
        if self._refuses_clear and self._answer.get_bytes(0, 2) == SHA2_WANTS_PASSWORD:
            raise wellhead.CheckFailedError("cleartext_password_refused", hint=CLEAR_HINT)
        return self._answer

    async def _read_bytes(self, num_bytes: int) -> bytes:
        """Read from the stream: all that aiomysql reads, parts of packets and packets without end included."""
        await self._send()
        self._left -= num_bytes
        if self._left < 0:
            raise wellhead.CheckFailedError("protocol_error")
        try:
            return await self._stream.read(num_bytes)
        except (ConnectionError, wellhead.CheckFailedError):  # before the login's end a server says why, but for TLS
            raise wellhead.CheckFailedError(self._lost) from None

    def _write_bytes(self, data: bytes) -> None:
        self._unsent += data

    async def _send(self) -> None:
        """Send what was written; aiomysql writes where it cannot wait."""
        data, self._unsent = self._unsent, b""
        if data:
            await self._stream.write(data)

    def _ensure_alive(self) -> None:
        """Do nothing: the stream is core's, and aiomysql's own would be missing here."""
