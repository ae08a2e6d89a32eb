"""Running the service: the socket, the server, and a clean end."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NoReturn

import uvicorn

from wellhead.api.app import create_app
from wellhead.assembly import Wellhead
from wellhead.catalog.rechecks import Rechecks
from wellhead.errors import SettingsError

_GRACE = 10

Work = Coroutine[Any, Any, NoReturn]


def listen(host: str, port: int) -> socket.socket:
    """Open the socket that the service listens on.

    Raises:
        SettingsError: The address is not one of this machine's loopback, or cannot be listened on.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"WELLHEAD_HOST: the address {host} is not known.") from error
    family, kind, protocol, _, address = found[0]
    if not ipaddress.ip_address(str(address[0])).is_loopback:
        raise SettingsError(
            f"{host} is not a loopback address. Without users and TLS the service is for this machine only: "
            "use --host 127.0.0.1, and reach it from elsewhere through an SSH tunnel."
        )
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it, answers take 40 ms.
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise SettingsError(f"Port {port} of {host} cannot be used: {error.strerror}. Try --port 0.") from error
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the address of the service."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(wellhead: Wellhead, listener: socket.socket, *, announce: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight get ten seconds to finish.

    Args:
        wellhead: The parts to serve.
        listener: The socket to listen on.
        announce: Called when the service answers.
    """
    server = make(wellhead, announce=announce)
    # uvicorn ends gracefully and then raises the signal once more, which is not to kill; one before its start counts.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.handle_exit)
    server.run(sockets=[listener])


def make(wellhead: Wellhead, *, announce: Callable[[], None]) -> uvicorn.Server:
    """Make the server, ready to run; `announce` is called when it answers."""
    seconds = wellhead.settings.recheck_seconds
    background = [Rechecks(wellhead.catalog, seconds=seconds).run] if seconds > 0 else []
    config = uvicorn.Config(
        create_app(wellhead),
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=_GRACE,
    )
    return _Server(config, announce, background)


class _Server(uvicorn.Server):
    """A server that says when it answers, and does other work meanwhile."""

    def __init__(
        self, config: uvicorn.Config, announce: Callable[[], None], background: Sequence[Callable[[], Work]]
    ) -> None:
        super().__init__(config)
        self._announce = announce
        self._background = background
        self._tasks: list[asyncio.Task[NoReturn]] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        if self.started:
            self._announce()
            self._tasks = [asyncio.create_task(work()) for work in self._background]

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the other work, then the requests."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await super().shutdown(sockets)
