"""Running a server for a test: in a thread with an event loop of its own, so that any process can reach it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import SupportsIndex, TypeVar

from wellhead.testing.certificates import Pair

MAX_SECONDS = 60.0
"""How long a server stays with one connection, whatever it does."""

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What a server does with a connection; the connection ends with it."""

ServerT = TypeVar("ServerT", bound="RunningServer")


class RunningServer:
    """A server on a free port of this machine.

    Attributes:
        host: Its address.
        port: Its port.
        connections: How many have come.
        left: Set as soon as one of them has ended.
        ca_certificate: The certificate (PEM) of the authority that a client is to trust; None where there is no TLS.
    """

    def __init__(self) -> None:
        """Prepare a server; `serve` runs it."""
        self.host = "127.0.0.1"
        self.port = 0
        self.connections = 0
        self.left = threading.Event()
        self.ca_certificate: str | None = None
        self._received = bytearray()

    @property
    def received(self) -> bytes:
        """All bytes that clients have sent so far, those inside TLS decrypted."""
        return bytes(self._received)


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What is said in clear on a connection before its TLS begins.

    Attributes:
        says: What the server says first.
        hears: How many bytes it waits for then.
        answers: What it answers to them.
    """

    says: bytes = b""
    hears: int = 0
    answers: bytes = b""


@contextmanager
def serve(
    script: Script, *, tls: Pair | ssl.SSLContext | None = None, upgrade: Upgrade | None = None
) -> Iterator[RunningServer]:
    """Follow a script with each connection: `async def script(reader, writer)`.

    Args:
        script: What is done with a connection, for 60 seconds at most; the connection ends with it. When a client goes
            in the middle of it, that is no error. Whatever else it raises, the `with` block raises at its end.
        tls: The certificate to show; the server then speaks TLS, and the script comes after the handshake.
        upgrade: What is said before the handshake; nothing if left out.
    """
    with running(RunningServer(), script, tls=tls, upgrade=upgrade) as server:
        yield server


@contextmanager
def running(
    server: ServerT, script: Script, *, tls: Pair | ssl.SSLContext | None = None, upgrade: Upgrade | None = None
) -> Iterator[ServerT]:
    """Run a server that was prepared; the other arguments are those of `serve`."""
    context = server_context(tls) if isinstance(tls, Pair) else tls
    with socket.create_server((server.host, 0)) as listener:
        listener.setblocking(False)
        server.port = listener.getsockname()[1]
        host = _Host(server, listener, script, context, upgrade)
        thread = threading.Thread(target=host.run, name="wellhead-test-server", daemon=True)
        thread.start()
        try:
            yield server
        finally:
            host.stop()
            thread.join()
    if host.failures:
        raise host.failures[0]


def server_context(pair: Pair) -> ssl.SSLContext:
    """Make the TLS context of a server that shows a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w", encoding="ascii") as file:
        file.write(pair.certificate + pair.key)
        file.flush()
        context.load_cert_chain(file.name)
    return context


class _Host:
    """Accepts connections in a thread's event loop, and lets a script run with each."""

    def __init__(
        self,
        server: RunningServer,
        listener: socket.socket,
        script: Script,
        tls: ssl.SSLContext | None,
        upgrade: Upgrade | None,
    ) -> None:
        self._server = server
        self._listener = listener
        self._script = script
        self._tls = tls
        self._upgrade = upgrade
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = threading.Event()
        self.failures: list[BaseException] = []

    def run(self) -> None:
        """Serve, until `stop` is called."""
        asyncio.run(self._serve())

    def stop(self) -> None:
        """End all that goes on; from another thread."""
        self._started.wait()
        self._loop.call_soon_threadsafe(self._over.set)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        self._started.set()
        accepting = self._loop.create_task(self._accept())
        await self._over.wait()
        for _ in range(3):  # what has arrived by now still counts as received
            await asyncio.sleep(0)
        accepting.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(accepting, *self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # connections that were aborted just now close their sockets in the next round

    async def _accept(self) -> None:
        while True:
            connection, _ = await self._loop.sock_accept(self._listener)
            connection.setblocking(False)
            self._server.connections += 1
            task = self._loop.create_task(self._handle(connection))
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._server.left.set()
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, OSError | EOFError):  # those say that the client has gone
            self.failures.append(error)

    async def _handle(self, connection: socket.socket) -> None:
        async with asyncio.timeout(MAX_SECONDS):
            reader, writer = await self._open(connection)
            try:
                await self._script(reader, writer)
            finally:
                if writer.transport.get_protocol() is not None:  # one that is closed already cannot be aborted
                    writer.transport.abort()

    async def _open(self, connection: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            if self._upgrade is not None:
                await self._say_in_clear(connection, self._upgrade)
            if self._tls is not None:
                await self._refuse_hello(connection, self._tls)
        except BaseException:
            connection.close()
            raise
        reader = _RecordingReader(self._server._received)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await self._loop.connect_accepted_socket(lambda: protocol, connection, ssl=self._tls)
        return reader, asyncio.StreamWriter(transport, protocol, reader, self._loop)

    async def _say_in_clear(self, connection: socket.socket, upgrade: Upgrade) -> None:
        """Say and hear exactly what comes before TLS: the first bytes of the handshake may have come already."""
        await self._loop.sock_sendall(connection, upgrade.says)
        left = upgrade.hears
        while left:
            data = await self._loop.sock_recv(connection, left)
            if not data:
                raise EOFError
            self._server._received += data
            left -= len(data)
        await self._loop.sock_sendall(connection, upgrade.answers)

    async def _refuse_hello(self, connection: socket.socket, tls: ssl.SSLContext) -> None:
        """Say why, where the handshake cannot succeed: asyncio would close the connection without the alert.

        Raises:
            ssl.SSLError: It cannot succeed.
        """
        has_come = asyncio.Event()
        self._loop.add_reader(connection, has_come.set)
        try:
            await has_come.wait()
        finally:
            self._loop.remove_reader(connection)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        incoming.write(connection.recv(65536, socket.MSG_PEEK))
        try:
            tls.wrap_bio(incoming, outgoing, server_side=True).do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLError:
            connection.recv(65536)  # a connection with unread bytes is reset when it is closed
            await self._loop.sock_sendall(connection, outgoing.read())
            raise


class _RecordingReader(asyncio.StreamReader):
    """A reader that writes down what arrives, whether or not the script reads it."""

    def __init__(self, received: bytearray) -> None:
        super().__init__()
        self._received = received

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        self._received += bytes(data)
        super().feed_data(data)
