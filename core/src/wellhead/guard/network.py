"""Connecting to a server on a user's behalf: names are resolved once, each address is judged, then dialled."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
import time
from collections.abc import Callable, Sequence

from wellhead.errors import CheckFailedError
from wellhead.guard.egress import EgressPolicy
from wellhead.guard.hearing import FirstBytes, HearingProtocol, HearingReader
from wellhead.guard.services import QUESTION, recognise
from wellhead.guard.threads import in_thread

MAX_ADDRESSES = 4
_UNTOLD_SECONDS = 5.0
_NOT_LET_OUT = {errno.EACCES, errno.EPERM}
_DAY = 24 * 60 * 60

SocketAddress = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]


async def resolve(host: str, port: int, policy: EgressPolicy) -> list[SocketAddress]:
    """Resolve a host, and judge every address that it has.

    Args:
        host: A host name, or an address.
        port: The port that is to be dialled.
        policy: What may be dialled.

    Returns:
        At most four addresses, in the order in which they are to be tried.

    Raises:
        CheckFailedError: `destination_rejected` if the policy refuses the name or any of its addresses;
            `host_not_found` for what cannot be a name.
        OSError: The name could not be resolved.
    """
    if not policy.permits_name(host, port):
        raise CheckFailedError("destination_rejected")
    try:
        found = await in_thread(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except UnicodeError:  # a label is empty or too long
        raise CheckFailedError("host_not_found") from None
    addresses = [(family, address) for family, _, _, _, address in found if family in {socket.AF_INET, socket.AF_INET6}]
    if not all(policy.permits(str(address[0]), port, names=[host]) for _, address in addresses):
        raise CheckFailedError("destination_rejected")
    return addresses[:MAX_ADDRESSES]  # type: ignore[return-value]  # of the two families only


async def dial(addresses: Sequence[SocketAddress], *, seconds: float) -> GuardedStream:
    """Connect to the first address that answers.

    Args:
        addresses: Addresses that were judged.
        seconds: How long it may take; each address gets its share, the last one all that is left.

    Raises:
        CheckFailedError: `connection_forbidden`: this machine lets no connection out to the last one.
        OSError: None answered; the error is that of the last one.
    """
    end = time.monotonic() + seconds
    last: OSError = OSError("no address")
    for number, (family, address) in enumerate(addresses, start=1):
        to_come = len(addresses) - number
        share = (end - time.monotonic()) / (to_come + 1) if to_come else None
        try:
            async with asyncio.timeout(share):
                return await _dial(family, address)
        except OSError as error:  # a `TimeoutError` is one
            last = error
    if last.errno in _NOT_LET_OUT:  # said here, where it cannot be about a file
        raise CheckFailedError("connection_forbidden") from None
    raise last


async def dial_untold(addresses: Sequence[SocketAddress], *, seconds: float) -> GuardedStream:
    """Connect as `dial` does, but tell nobody whether a port is closed or filtered: both take the same time.

    Args:
        addresses: Addresses that were judged.
        seconds: How long there is in all; of that, half is taken, and five seconds at most.

    Raises:
        CheckFailedError: `connection_failed`, whatever it was.
    """
    end = time.monotonic() + min(seconds / 2, _UNTOLD_SECONDS)
    try:
        async with asyncio.timeout(end - time.monotonic()):
            return await dial(addresses, seconds=end - time.monotonic())
    except (OSError, CheckFailedError):  # a `TimeoutError` is one of the first
        await asyncio.sleep(end - time.monotonic())
        raise CheckFailedError("connection_failed") from None


async def _dial(family: socket.AddressFamily, address: tuple[str, int] | tuple[str, int, int, int]) -> GuardedStream:
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(connection, address)
        return await _stream_over(connection)
    except BaseException:
        connection.close()
        raise


async def _stream_over(connection: socket.socket) -> GuardedStream:
    """Do what `asyncio.open_connection` does, with a reader that keeps the first bytes."""
    loop = asyncio.get_running_loop()
    first = FirstBytes()
    reader = HearingReader(first, loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport, _ = await loop.create_connection(lambda: protocol, sock=connection)
    return GuardedStream(reader, asyncio.StreamWriter(transport, protocol, reader, loop), first)


class GuardedStream:
    """A TCP connection whose address was judged before it was dialled."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: FirstBytes) -> None:
        self._reader = reader
        self._writer = writer
        self._first = first
        self._asked = False
        self.is_starting_tls = False
        self.on_certificate: Callable[[int], None] | None = None

    @property
    def tls_version(self) -> str | None:
        """The TLS version in use; None without TLS."""
        tls = self._writer.get_extra_info("ssl_object")
        version: str | None = None if tls is None else tls.version()
        return version

    @property
    def service(self) -> str | None:
        """The well-known service that sends what the server sent first; None for what is not recognised."""
        return recognise(self._first.heard, asked=self._asked)

    @property
    def certificate_days_left(self) -> int | None:
        """Days until the server's certificate expires; None without TLS, or where it was not checked."""
        certificate = self._writer.get_extra_info("peercert")
        if not certificate:
            return None
        return int(ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) // _DAY

    async def read(self, size: int) -> bytes:
        """Read exactly `size` bytes.

        Raises:
            CheckFailedError: `connection_lost`: the server closed the connection before that.
        """
        try:
            return await self._reader.readexactly(size)
        except asyncio.IncompleteReadError:
            raise CheckFailedError("connection_lost") from None

    async def read_line(self, *, limit: int = 8192) -> bytes:
        """Read a line, and return it without its end, which is LF or CR LF.

        Raises:
            CheckFailedError: `connection_lost`; `protocol_error`: it has more bytes than the limit, its end included.
        """
        return (await self.read_until(b"\n", limit=limit)).removesuffix(b"\r")

    async def read_until(self, separator: bytes, *, limit: int = 8192) -> bytes:
        """Read up to a separator, and return what came before it.

        Byte by byte: what comes behind the separator is left for the next read, and what has no end is noticed at the
        limit. `StreamReader.readuntil` notices that at a limit of its own only.

        Raises:
            CheckFailedError: `connection_lost`; `protocol_error`: there are more bytes than the limit, the separator
                included.
        """
        found = bytearray()
        while not found.endswith(separator):
            if len(found) >= limit:
                raise CheckFailedError("protocol_error")
            found += await self.read(1)
        return bytes(found.removesuffix(separator))

    async def write(self, data: bytes) -> None:
        """Send bytes."""
        self._writer.write(data)
        await self._writer.drain()

    async def start_tls(self, tls: ssl.SSLContext, *, server_hostname: str) -> None:
        """Upgrade the connection to TLS.

        Raises:
            CheckFailedError: `protocol_error`: the server sent something that was not read, which somebody in between
                could have slipped in.
            OSError: The handshake failed.
        """
        _refuse_unread(self._reader)
        self._first.forget()
        self._first.watch_handshake(self._writer.transport)
        self.is_starting_tls = True
        try:
            await self._writer.start_tls(tls, server_hostname=server_hostname)
        except OSError:
            self._first.hear_handshake()
            raise
        self.is_starting_tls = False
        days = self.certificate_days_left
        if days is not None and self.on_certificate is not None:
            self.on_certificate(days)

    async def sound_out(self, *, seconds: float) -> None:
        """Ask a silent server who it is, and wait for an answer: `service` then tells.

        Args:
            seconds: How long to wait.
        """
        self._asked = True
        with contextlib.suppress(OSError):  # a `TimeoutError` is one
            async with asyncio.timeout(seconds):
                await self.write(QUESTION)
                await self._reader.read(1)

    def hand_over(self, protocol: asyncio.Protocol) -> asyncio.Transport:
        """Give the connection to a driver's protocol; the stream cannot be read or written afterwards.

        Raises:
            CheckFailedError: `connection_lost`: the server has closed it already, of which the protocol would not be
                told; `protocol_error`: it has sent something that was not read.
            OSError: The connection has failed already.
        """
        transport = self._writer.transport
        _refuse_unread(self._reader)
        failure = self._reader.exception()
        if failure is not None:
            raise failure
        if self._reader.at_eof():
            raise CheckFailedError("connection_lost")
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream's transport reads and writes")
        transport.set_protocol(HearingProtocol(protocol, transport, self._first))
        protocol.connection_made(transport)
        return transport

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(RuntimeError):  # the loop may be gone
            self._writer.transport.abort()


def _refuse_unread(reader: asyncio.StreamReader) -> None:
    """Refuse what was received and not read.

    Raises:
        CheckFailedError: `protocol_error`.
    """
    if reader._buffer:  # type: ignore[attr-defined]  # there is no public way to see it
        raise CheckFailedError("protocol_error")
