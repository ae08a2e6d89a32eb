"""Servers that misbehave, on a free port of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from support.certificates import Pair

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Rogue:
    """A server that follows a script.

    Attributes:
        port: Its port.
        received: All bytes that clients have sent, after TLS.
        connections: How many have come.
    """

    port: int = 0
    received: bytearray = field(default_factory=bytearray)
    connections: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def left(self) -> None:
        """Wait until a client has left."""
        await self.gone.wait()


@contextlib.asynccontextmanager
async def serve(script: Script, *, tls: Pair | None = None, ask_first: bool = True) -> AsyncIterator[Rogue]:
    """Run a server.

    Args:
        script: What it does with each connection; the connection ends with it.
        tls: Its certificate; it then speaks TLS, and `script` comes after the handshake.
        ask_first: Wait for PostgreSQL's question for TLS, and say yes.
    """
    rogue = Rogue()
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        rogue.connections += 1
        task = asyncio.current_task()
        if task is not None:
            tasks.add(task)
        try:
            if tls is not None:
                if ask_first:
                    await reader.readexactly(8)
                    writer.write(b"S")
                await writer.start_tls(server_context(tls))
            await script(_Listening(reader, rogue), writer)
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            rogue.gone.set()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    rogue.port = server.sockets[0].getsockname()[1]
    try:
        yield rogue
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


def server_context(pair: Pair) -> ssl.SSLContext:
    """Make the TLS context of a server."""
    import tempfile

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(pair.certificate + pair.key)
        file.flush()
        context.load_cert_chain(file.name)
    return context


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Listen, and say nothing, until the client goes."""
    while await reader.read(65536):
        pass


def saying(*parts: bytes, wait_first: bool = True) -> Script:
    """Make a script that says something, one part after each thing that it hears, and then listens."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            if wait_first:
                await reader.read(65536)
            writer.write(part)
            await writer.drain()
        await silent(reader, writer)

    return script


class _Listening(asyncio.StreamReader):
    """A reader that writes down what it reads."""

    def __init__(self, inner: asyncio.StreamReader, rogue: Rogue) -> None:
        self._inner = inner
        self._rogue = rogue

    async def read(self, n: int = -1) -> bytes:
        data = await self._inner.read(n)
        self._rogue.received += data
        return data

    async def readexactly(self, n: int) -> bytes:
        data = await self._inner.readexactly(n)
        self._rogue.received += data
        return data
