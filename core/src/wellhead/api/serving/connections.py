"""Connections of clients: how many there are at once, and how long one may wait without a request.

uvicorn ends a connection that is idle after an answer. It waits for ever for a first request, for a head that drips,
for the rest of a body that nobody reads, and for a client that reads no answers. Each of these takes a descriptor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from operator import itemgetter
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from wellhead.api.gate import Receive, Scope, Send
from wellhead.api.serving.sending import Sending


class Connection(H11Protocol):
    """A connection that knows since when its client keeps the service waiting."""

    def __init__(self, *arguments: Any, most: int, **named: Any) -> None:
        """Take what uvicorn gives.

        Args:
            *arguments: As of uvicorn's own.
            most: How many connections there may be.
            **named: As of uvicorn's own.
        """
        super().__init__(*arguments, **named)
        self._answer, self.app = self.app, self._answered
        self._most = most
        self._asked_since = self.loop.time()
        self._unread_since: float | None = None

    @property
    def waits_since(self) -> float | None:
        """Since when it waits for a request, or for the client to read an answer; None while it does neither."""
        if self.transport.is_closing() and not self.transport.get_write_buffer_size():
            return None  # else it closes once its client has read the rest, which may be never
        return self._asked_since if self.cycle is None or self.cycle.response_complete else self._unread_since

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Take a client in; where there are too many, another one that only waits goes for it, or it goes itself."""
        super().connection_made(transport)
        if len(self.connections) > self._most:
            found = [(since, other) for since, other in waiting(self.connections) if other is not self]
            _, longest = min(found, key=itemgetter(0), default=(0.0, self))
            longest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of itself, so that it need not be found as garbage."""
        super().connection_lost(exc)
        self.app = self._answer

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._asked_since = self.loop.time()
        super().on_response_complete()

    def begin_anew(self) -> None:
        """Know nothing of what was read and answered before."""
        self.conn = h11.Connection(h11.SERVER)
        self.conn.their_http_version = b"1.1"  # as it was before: another one is not answered in this way

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        sending = Sending(self, scope, send)
        await self._answer(scope, receive, sending.send)
        await sending.end()

    def pause_writing(self) -> None:
        """Wait for the client to read."""
        self._unread_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Go on."""
        self._unread_since = None
        super().resume_writing()


def waiting(connections: Collection[Any]) -> list[tuple[float, Connection]]:
    """Return the connections whose clients keep the service waiting, each with since when."""
    known = (found for found in connections if isinstance(found, Connection))
    return [(found.waits_since, found) for found in known if found.waits_since is not None]


async def end_those_that_wait(connections: Collection[Any], seconds: float) -> None:
    """End connections that have waited for some seconds, until this is cancelled."""
    while True:
        await asyncio.sleep(min(1.0, seconds / 2))
        if _late(connections, seconds):
            for _ in range(2):  # what came while the process was busy is read first: it is no client's fault
                await asyncio.sleep(0)
            for connection in _late(connections, seconds):
                connection.transport.abort()


def _late(connections: Collection[Any], seconds: float) -> list[Connection]:
    now = asyncio.get_running_loop().time()
    return [connection for since, connection in waiting(connections) if now - since > seconds]
