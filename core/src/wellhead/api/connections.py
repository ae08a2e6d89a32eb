"""Connections of clients: how many there are at once, and how long one may wait without a request.

uvicorn ends a connection that is idle after an answer. It waits for ever for a first request, for a head that drips, or
for the rest of a body that nobody reads; each such connection takes one of the process's descriptors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


class Connection(H11Protocol):
    """A connection that knows since when it waits for a whole request."""

    def __init__(self, *arguments: Any, most: int, **named: Any) -> None:
        """Take what uvicorn gives.

        Args:
            *arguments: As of uvicorn's own.
            most: How many connections there may be.
            **named: As of uvicorn's own.
        """
        super().__init__(*arguments, **named)
        self.waiting_since = self.loop.time()
        self._most = most

    @property
    def is_waiting(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Take a client in; where there are too many, another one that only waits goes for it, or it goes itself."""
        super().connection_made(transport)
        if len(self.connections) > self._most:
            others = [other for other in waiting(self.connections) if other is not self]
            min(others, key=lambda other: other.waiting_since, default=self).transport.abort()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self.waiting_since = self.loop.time()
        super().on_response_complete()


def waiting(connections: Collection[Any]) -> list[Connection]:
    """Return the connections that wait and have not been ended yet."""
    return [
        found
        for found in connections
        if isinstance(found, Connection) and found.is_waiting and not found.transport.is_closing()
    ]


async def end_those_that_wait(connections: Collection[Any], seconds: float) -> None:
    """End connections that have waited for some seconds, until this is cancelled."""
    while True:
        await asyncio.sleep(min(1.0, seconds / 2))
        now = asyncio.get_running_loop().time()
        for connection in waiting(connections):
            if now - connection.waiting_since > seconds:
                connection.transport.abort()
