"""Taking connections off a socket, which several workers may share.

Of those who wait for one, the kernel wakes the same one first each time. Connections that stay, as those of a proxy do,
would all be with one worker, and the others would have nothing to do.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Collection
from contextlib import suppress

import structlog

from wellhead import logs

_STEP = 0.0002
_MOST = 10
"""A worker waits a step for each connection that it has, up to so many, so that one with fewer is first."""
_AGAIN_SECONDS = 1.0


async def take_connections(
    listener: socket.socket,
    protocol: Callable[[], asyncio.Protocol],
    connections: Collection[object],
    *,
    is_shared: bool,
    tls: ssl.SSLContext | None,
    seconds: float,
) -> None:
    """Take connections, one after the other, until this is cancelled.

    Args:
        listener: The socket, which listens; none of those who share it may wait in it.
        protocol: Makes the protocol of a connection.
        connections: The connections that there are.
        is_shared: Whether other processes take connections of it.
        tls: What encrypts them; None if nothing does.
        seconds: How long the beginning and the end of TLS may take. asyncio would give them a minute.
    """
    loop, begun = asyncio.get_running_loop(), set[asyncio.Task[None]]()
    listener.setblocking(False)
    try:
        while True:
            held = len(connections) + len(begun)
            await asyncio.sleep(min(held, _MOST) * _STEP if is_shared else 0)
            try:
                connection, _ = await loop.sock_accept(listener)
            except ConnectionAbortedError:  # its client is gone already
                continue
            except OSError as error:  # there are no descriptors, or there is no memory, just now
                structlog.get_logger("wellhead.api").error("no connection taken", error=logs.where(error))
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            task = loop.create_task(_begin(connection, protocol, tls, seconds if tls is not None else None))
            begun.add(task)
            task.add_done_callback(begun.discard)
    finally:
        for task in begun:  # else a client could begin anew while the service ends
            task.cancel()


async def _begin(
    connection: socket.socket,
    protocol: Callable[[], asyncio.Protocol],
    tls: ssl.SSLContext | None,
    seconds: float | None,
) -> None:
    """Begin a connection; one whose client speaks no TLS ends."""
    with suppress(OSError):
        await asyncio.get_running_loop().connect_accepted_socket(
            protocol, connection, ssl=tls, ssl_handshake_timeout=seconds, ssl_shutdown_timeout=seconds
        )
