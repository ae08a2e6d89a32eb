"""Running the service in this process, and a clean end."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NoReturn

import uvicorn

from wellhead.api.listener import GRACE
from wellhead.api.live import LiveApp
from wellhead.catalog.rechecks import Rechecks

Work = Coroutine[Any, Any, NoReturn]


def run(app: LiveApp, listener: socket.socket, *, announce: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight get ten seconds to finish.

    Args:
        app: What answers.
        listener: The socket to listen on.
        announce: Called when the service answers.
    """
    server = make(app, announce=announce)
    app.wellhead.store.start_sweeping()
    # uvicorn ends gracefully and then raises the signal once more, which is not to kill; one before its start counts.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.handle_exit)
    server.run(sockets=[listener])


def make(app: LiveApp, *, announce: Callable[[], None]) -> uvicorn.Server:
    """Make the server, ready to run; `announce` is called when it answers."""
    seconds = app.wellhead.settings.recheck_seconds
    background = [Rechecks(lambda: app.wellhead.catalog, seconds=seconds).run] if seconds > 0 else []
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=GRACE,
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
