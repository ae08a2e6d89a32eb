"""A server that records what another one says, and one that says it again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from wellhead.testing.servers import scripts
from wellhead.testing.servers.running import RunningServer, running, serve
from wellhead.testing.servers.scripts import Turn


class RecordingServer(RunningServer):
    """A server that passes everything on.

    Attributes:
        turns: What was said on the last connection, turn by turn.
    """

    def __init__(self) -> None:
        """Prepare a server; `recording` runs it."""
        super().__init__()
        self.turns: list[Turn] = []

    def heard(self, data: bytes) -> None:
        """Record what the client says: the rest of a question, or a new one after the server's answer."""
        if self.turns and not self.turns[-1].says:
            self.turns[-1] = Turn(self.turns[-1].hears + len(data), b"")
        else:
            self.turns.append(Turn(len(data), b""))

    def said(self, data: bytes) -> None:
        """Record what the server says."""
        last = self.turns.pop() if self.turns else Turn(0, b"")
        self.turns.append(Turn(last.hears, last.says + data))


@contextmanager
def recording(port: int, *, host: str = "127.0.0.1") -> Iterator[RecordingServer]:
    """Pass everything on to another server, and record in `server.turns` what is said, to be replayed or changed.

    Args:
        port: The other server's port.
        host: The other server's host.
    """
    server = RecordingServer()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.turns = []
        other_reader, other_writer = await asyncio.open_connection(host, port)
        answers = asyncio.create_task(_pass_on(other_reader, writer, server.said))
        try:
            await _pass_on(reader, other_writer, server.heard)
        finally:
            answers.cancel()
            other_writer.transport.abort()

    with running(server, script):
        yield server


@contextmanager
def replaying(turns: Iterable[Turn]) -> Iterator[RunningServer]:
    """Say again what another server said that was recorded.

    Args:
        turns: What `recording` has recorded, as it is or changed by `mutations`.
    """
    with serve(scripts.replaying(turns)) as server:
        yield server


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, record: Callable[[bytes], None]) -> None:
    while data := await reader.read(65536):
        record(data)
        writer.write(data)
        await writer.drain()
