"""The other processes of a service: each answers on a socket of its own what it has counted.

The sockets are in a directory that the supervisor makes, and that nobody but its user may enter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_SECONDS = 2.0
"""How long another process may take to answer."""


class Peers:
    """The processes of a service, as one of them sees them."""

    def __init__(self, directory: Path, number: int, count: int) -> None:
        """Know the others.

        Args:
            directory: Where the sockets are.
            number: The number of this process, from 0.
            count: How many processes there are.
        """
        self.number = number
        self._directory = directory
        self._others = [other for other in range(count) if other != number]

    async def serve(self, tell: Callable[[], bytes]) -> None:
        """Answer each other process that asks, until cancelled.

        Args:
            tell: Returns what there is to tell.
        """

        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):  # whoever asked may be gone
                writer.write(tell())
                await writer.drain()
            writer.close()

        async with await asyncio.start_unix_server(answer, self._path(self.number)) as server:
            await server.serve_forever()

    async def ask(self) -> dict[int, bytes | None]:
        """Ask all other processes at once, and return what each answers; None where it does not."""
        answers = await asyncio.gather(*(self._ask(other) for other in self._others))
        return dict(zip(self._others, answers, strict=True))

    async def _ask(self, other: int) -> bytes | None:
        try:
            async with asyncio.timeout(_SECONDS):
                reader, writer = await asyncio.open_unix_connection(self._path(other))
                try:
                    return await reader.read() or None
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return None

    def _path(self, number: int) -> str:
        return str(self._directory / f"{number}.sock")
