"""What a server can do with a connection: scripts for `servers.serve`, and what the servers are made of."""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from wellhead.testing.servers.running import Script

MAX_BYTES = 64 << 20
"""How much a server sends that seems to have no end."""

PATIENCE = 0.05
"""How many seconds `replaying` waits for the rest of what a client says in a turn."""


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Listen, and say nothing, until the client goes."""
    while await reader.read(65536):
        pass


async def closing(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Close the connection at once."""


async def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reset the connection when the client has said something."""
    await reader.read(65536)
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def echoing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with what was received."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


def saying(*parts: bytes, wait_first: bool = True) -> Script:
    """Say something, one part after each thing that is heard, and then listen.

    Args:
        parts: What is said. An empty part is a turn in which nothing is said.
        wait_first: False where the server speaks first, as one of MySQL does: the first part is not waited for.
    """

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number, part in enumerate(parts):
            if (number or wait_first) and not await reader.read(65536):
                return
            writer.write(part)
            await writer.drain()
        await silent(reader, writer)

    return script


def closing_after(data: bytes, *, wait_first: bool = True) -> Script:
    """Say something, and then close the connection, as a server does that ends in the middle.

    Args:
        data: What is said.
        wait_first: False where the server speaks first.
    """

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if wait_first:
            await reader.read(65536)
        writer.write(data)
        await finish(writer)

    return script


def dripping(data: bytes, *, seconds: float = 1.0) -> Script:
    """Say one byte at a time, over and over.

    Args:
        data: The bytes.
        seconds: The time between two of them.
    """

    async def script(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in itertools.cycle(data):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(seconds)

    return script


def endless(head: bytes, again: bytes, *, wait_first: bool = True) -> Script:
    """Say something, and then something else over and over, up to 64 MiB.

    Args:
        head: What is said once.
        again: What is said over and over.
        wait_first: False where the server speaks first.
    """

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if wait_first:
            await reader.read(65536)
        writer.write(head)
        block = again * max(1, 65536 // len(again))
        for _ in range(0, MAX_BYTES, len(block)):
            writer.write(block)
            await writer.drain()
        await finish(writer)

    return script


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of a conversation that was recorded.

    Attributes:
        hears: How many bytes the client said; 0 where the server speaks first.
        says: What the server said then.
    """

    hears: int
    says: bytes


def replaying(turns: Iterable[Turn]) -> Script:
    """Say again what a server said that was recorded.

    Args:
        turns: What `servers.recording` has recorded, as it is or changed. A client that says less than the recorded
            one in a turn is answered when it has said nothing more for a moment.
    """

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for turn in turns:
            await _hear(reader, turn.hears)
            writer.write(turn.says)
            await writer.drain()
        await silent(reader, writer)

    return script


async def _hear(reader: asyncio.StreamReader, size: int) -> None:
    patience = None
    while size:
        try:
            async with asyncio.timeout(patience):
                data = await reader.read(size)
        except TimeoutError:
            return
        if not data:
            raise EOFError
        size -= len(data)
        patience = PATIENCE


async def finish(writer: asyncio.StreamWriter) -> None:
    """Send what is still to be sent, and the end of it, before the connection is closed."""
    await writer.drain()
    writer.close()
    await writer.wait_closed()
